//! How a job's CSV is written: delimiter and line ending (contract 4.1).

/// What stands between values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Delimiter {
    /// `` ` ``
    Backquote,
    /// `^`
    Caret,
    /// `,`
    #[default]
    Comma,
    /// `|`
    Pipe,
    /// `;`
    Semicolon,
    /// The tabulator.
    Tab,
}

impl Delimiter {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Backquote,
        Self::Caret,
        Self::Comma,
        Self::Pipe,
        Self::Semicolon,
        Self::Tab,
    ];

    /// As jobs name it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Backquote => "BACKQUOTE",
            Self::Caret => "CARET",
            Self::Comma => "COMMA",
            Self::Pipe => "PIPE",
            Self::Semicolon => "SEMICOLON",
            Self::Tab => "TAB",
        }
    }

    /// The ASCII character itself.
    #[must_use]
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Backquote => b'`',
            Self::Caret => b'^',
            Self::Comma => b',',
            Self::Pipe => b'|',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }

    /// The one with this name.
    #[must_use]
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }
}

/// What stands after each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LineEnding {
    /// A line feed.
    #[default]
    Lf,
    /// Carriage return and line feed.
    CrLf,
}

impl LineEnding {
    /// As jobs name it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::CrLf => "CRLF",
        }
    }

    /// The characters themselves.
    #[must_use]
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
        }
    }

    /// The one with this name.
    #[must_use]
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Lf, Self::CrLf].into_iter().find(|e| e.name() == name)
    }
}

/// Both together; the default is comma and line feed [V:D-CSV].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dialect {
    /// Between values.
    pub(crate) delimiter: Delimiter,
    /// After lines.
    pub(crate) ending: LineEnding,
}
