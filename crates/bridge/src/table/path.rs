//! Where a value stands in a message.

/// The names that lead to a value; becomes text only when there is a problem to report.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    name: &'p str,
    index: Option<usize>,
}

impl<'p> Path<'p> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, name: "", index: None };

    pub(super) fn field(&'p self, name: &'p str) -> Path<'p> {
        Path { parent: Some(self), name, index: None }
    }

    pub(super) fn item(&'p self, name: &'p str, index: usize) -> Path<'p> {
        Path { parent: Some(self), name, index: Some(index) }
    }

    pub(super) fn render(&self) -> String {
        let mut text = self.parent.map_or_else(String::new, Path::render);
        if !text.is_empty() {
            text.push('.');
        }
        // The root has no name either, and nothing is said of it.
        text.push_str(if self.name.is_empty() && self.parent.is_some() { "\"\"" } else { self.name });
        if let Some(index) = self.index {
            text.push_str(&format!("[{index}]"));
        }
        text
    }
}
