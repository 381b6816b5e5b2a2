//! The errors between an answer and a part.

/// Why an answer could not become rows, or rows could not become a part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The text ends before the JSON does.
    #[error(
        "{what} ends too early, at line {line} column {column}: the answer was cut on its way; read it again"
    )]
    Truncated { what: &'static str, line: usize, column: usize },
    /// The text is no JSON.
    #[error("{what} is not JSON ({detail}): something between the agent and Jira may have answered instead")]
    NotJson { what: &'static str, detail: String },
    /// The JSON lacks what every such answer has.
    #[error("{what} has an unexpected form ({detail}): check that the address is that of a Jira")]
    Shape { what: &'static str, detail: String },
    /// Rows could not be encoded.
    #[error(
        "rows of {table} could not be encoded ({detail}): this is a defect of the agent; report it with this text"
    )]
    Encode { table: String, detail: String },
}

impl DecodeError {
    pub(crate) fn json(what: &'static str, error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        match error.classify() {
            Category::Eof => Self::Truncated { what, line: error.line(), column: error.column() },
            Category::Io | Category::Syntax => Self::NotJson { what, detail: error.to_string() },
            Category::Data => Self::Shape { what, detail: error.to_string() },
        }
    }

    pub(crate) fn encode(table: &str, error: &dyn std::error::Error) -> Self {
        Self::Encode { table: table.to_owned(), detail: error.to_string() }
    }
}
