//! What the contract says in words.

use prost_reflect::FileDescriptor;

/// The comment of one declaration as lines of a `.proto` file; empty if its file has none.
pub(super) fn of(file: &FileDescriptor, path: &[i32], indent: &str) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let found = info.and_then(|info| info.location.iter().find(|location| location.path == path));
    let text = found.and_then(|location| location.leading_comments.as_ref().or(location.trailing_comments.as_ref()));
    let line = |line: &str| format!("{indent}//{}\n", line.trim_end());
    text.map_or_else(String::new, |text| text.trim_end().lines().map(line).collect())
}
