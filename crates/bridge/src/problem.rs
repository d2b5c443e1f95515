//! What is wrong with a message, field by field.

use std::fmt;

/// One field that cannot be sent or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the field in our words, for example `customer.contacts[1].email`.
    pub field: String,
    /// What is wrong with it, as the end of a sentence that begins with the field; never its value.
    pub text: String,
}

impl Problem {
    /// Names a field and what is wrong with it.
    pub fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Problem { field: field.into(), text: text.into() }
    }
}

/// All that is wrong with one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// One field and what is wrong with it.
    pub fn one(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self(vec![Problem::new(field, text)])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", problem.field, problem.text)?;
        }
        Ok(())
    }
}
