//! The comments of the contract.

use std::collections::HashMap;

use prost_reflect::FileDescriptor;

/// Comments by file and by the path of what they belong to.
#[derive(Debug, Default)]
pub(crate) struct Comments(HashMap<String, HashMap<Vec<i32>, String>>);

impl Comments {
    /// The comment of one declaration, if its file has it: lines joined, paragraphs kept.
    pub(crate) fn of(&mut self, file: &FileDescriptor, path: &[i32]) -> Option<String> {
        let comments = self.0.entry(file.name().to_owned()).or_insert_with(|| read(file));
        comments.get(path).cloned()
    }
}

fn read(file: &FileDescriptor) -> HashMap<Vec<i32>, String> {
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
    let locations = info.location.into_iter();
    locations
        .filter_map(|location| {
            let text = flowing(location.leading_comments.or(location.trailing_comments)?.as_str());
            (!text.is_empty()).then_some((location.path, text))
        })
        .collect()
}

fn flowing(comment: &str) -> String {
    let mut text = String::new();
    for line in comment.lines().map(str::trim) {
        match line {
            "" if !text.is_empty() && !text.ends_with('\n') => text.push_str("\n\n"),
            "" => {}
            line => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_flow_and_paragraphs_stay() {
        assert_eq!(flowing(" One\n two.\n\n Three.\n"), "One two.\n\nThree.");
        assert_eq!(flowing("\n \n"), "");
    }
}
