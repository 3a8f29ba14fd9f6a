//! One error for the whole house. It knows no HTTP: `kind` says what happened, `code` is stable and published,
//! `message` is a public sentence that says what to do, and `source` stays private and is logged once.

use std::borrow::Cow;
use std::fmt;

/// The result of nearly everything.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is. The API maps each to one HTTP status, in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request could not be read: malformed JSON, cursor or header.
    Malformed,
    /// No credentials, or none that count.
    Unauthenticated,
    /// The role lacks this action.
    Forbidden,
    /// There is no such thing in this org.
    NotFound,
    /// It clashes with something that is already there.
    Conflict,
    /// Kept no longer.
    Gone,
    /// Larger than the limit.
    TooLarge,
    /// It has no such part.
    OutOfRange,
    /// A media type that is not taken here.
    UnsupportedMedia,
    /// Readable, but a value is not acceptable.
    Invalid,
    /// Too many requests.
    RateLimited,
    /// Not now: the database or the queue cannot take it. Nothing was changed.
    Unavailable,
    /// A defect or a broken environment. Nothing more is said in public.
    Internal,
}

/// One field that was wrong, and what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The path of the field, such as `message` or `contact.phone`.
    pub name: Cow<'static, str>,
    /// What it should be.
    pub message: Cow<'static, str>,
}

/// A failure with a public and a private side.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    code: &'static str,
    message: Cow<'static, str>,
    fields: Vec<Field>,
    retry_after_s: Option<u32>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of this kind with its stable code and its public sentence.
    #[must_use]
    pub fn new(kind: Kind, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, code, message: message.into(), fields: Vec::new(), retry_after_s: None, source: None }))
    }

    /// 404 of everything: another org's ids look exactly like ids that never were.
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Kind::NotFound, "not_found", format!("There is no such {what} here. Check the id."))
    }

    /// A value that is not acceptable, naming the field and the remedy.
    #[must_use]
    pub fn invalid(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        let (name, message) = (field.into(), message.into());
        let mut error = Self::new(Kind::Invalid, "validation_failed", format!("`{name}`: {message}"));
        error.0.fields.push(Field { name, message });
        error
    }

    /// Several values that are not acceptable, in one answer. `None` when there are none.
    #[must_use]
    pub fn together(fields: Vec<Field>) -> Option<Self> {
        let first = fields.first()?;
        let mut error = Self::invalid(first.name.clone(), first.message.clone());
        error.0.fields = fields;
        Some(error)
    }

    /// A clash with what is already there.
    #[must_use]
    pub fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    /// The same 422 with a code of its own, such as `no_account`.
    #[must_use]
    pub fn refused(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    /// Try again after this many seconds; nothing was changed.
    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>, retry_after_s: u32) -> Self {
        let mut error = Self::new(Kind::Unavailable, "unavailable", message);
        error.0.retry_after_s = Some(retry_after_s);
        error
    }

    /// A defect, with its private cause.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "internal", "Something went wrong on our side. The request id leads to the log line that says what.")
            .with_source(source)
    }

    /// Adds a field that was wrong, where the code alone does not say it.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.fields.push(Field { name: name.into(), message: message.into() });
        self
    }

    /// Adds the private cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the seconds after which a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// The same for somebody else who meets it, with the private cause as a text.
    #[must_use]
    pub fn again(&self) -> Self {
        let Inner { kind, code, message, fields, retry_after_s, source } = &*self.0;
        let source = source.as_ref().map(|source| format!("{source:?}").into());
        Self(Box::new(Inner { kind: *kind, code, message: message.clone(), fields: fields.clone(), retry_after_s: *retry_after_s, source }))
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable, published code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The public sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The fields that were wrong.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// Seconds after which a retry makes sense.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        self.0.retry_after_s
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.0.kind, self.0.code)?;
        // A sentence that was made for one caller may quote them: a number, a name, a value. It is for them and not for the log.
        match (&self.0.message, self.0.kind) {
            (Cow::Borrowed(text), _) => write!(f, ": {text}")?,
            (Cow::Owned(text), Kind::Unavailable | Kind::Internal) => write!(f, ": {text}")?,
            (Cow::Owned(_), _) => self.0.fields.iter().try_for_each(|field| write!(f, " `{}`", field.name))?,
        }
        match &self.0.source {
            Some(source) => write!(f, " ({source:?})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
