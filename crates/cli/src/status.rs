//! What a server says when it refuses: the reason, the field and the figures, read from the details
//! of a gRPC status or from the outcome of a command in a batch.

use std::fmt;

use encours_proto::v1;
use tonic::Status;
use tonic_types::StatusExt;

/// What a server told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The stable reason, such as `OVER_ALLOCATION`; empty where the server gave none.
    pub(crate) reason: String,
    /// The field that it is about; may be empty.
    pub(crate) field: String,
    /// One sentence with the figures.
    pub(crate) message: String,
    /// Whether trying again may help.
    pub(crate) retry: bool,
}

impl Told {
    /// What this side tells in the same form.
    pub(crate) fn new(reason: &str, field: &str, message: String) -> Self {
        Self { reason: reason.to_owned(), field: field.to_owned(), message, retry: false }
    }

    /// Reads a status and its details. Details that do not decode are left out.
    pub(crate) fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().map(|info| info.reason.clone());
        let field = details.bad_request().and_then(|bad| bad.field_violations.first());
        let mut told = Self {
            reason: info.unwrap_or_default(),
            field: field.map(|violation| violation.field.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            retry: details.retry_info().is_some(),
        };
        if told.message.is_empty() {
            told.message = status.code().description().to_owned();
        }
        told
    }
}

impl From<v1::CommandError> for Told {
    fn from(error: v1::CommandError) -> Self {
        Self {
            reason: error.reason,
            field: error.field,
            message: error.message,
            retry: error.retry_after_ms > 0,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.reason.is_empty() && !self.message.starts_with(&self.reason) {
            write!(f, "{}: ", self.reason)?;
        }
        if !self.field.is_empty() && !self.message.contains(&self.field) {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn reason_and_field_are_read_from_the_details() {
        let mut details = ErrorDetails::new();
        details.set_error_info("TOO_MANY_DECIMALS", "encours", HashMap::new());
        details.add_bad_request_violation("total", "too many");
        let status = Status::with_error_details(
            tonic::Code::InvalidArgument,
            "1.234: EUR has 2 fraction digits",
            details,
        );
        let told = Told::of(&status);
        assert_eq!((told.reason.as_str(), told.field.as_str()), ("TOO_MANY_DECIMALS", "total"));
        assert_eq!(told.to_string(), "TOO_MANY_DECIMALS: total: 1.234: EUR has 2 fraction digits");
    }

    #[test]
    fn a_status_without_details_keeps_its_message() {
        let told = Told::of(&Status::unavailable("down"));
        assert_eq!(told.to_string(), "down");
        assert!(!told.retry);
    }
}
