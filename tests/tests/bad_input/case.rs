//! A case of bad input and what must come back.

use tonic::Code;

use crate::ask::Ask;

/// A name, what is asked, and what must come back. `field` is what the violation names; it is empty
/// where the state, not the input, says no.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) ask: Ask,
    pub(crate) code: Code,
    pub(crate) reason: &'static str,
    pub(crate) field: &'static str,
}

/// The input is malformed, in this field.
pub(crate) fn invalid(
    name: &'static str,
    ask: Ask,
    reason: &'static str,
    field: &'static str,
) -> Case {
    Case { name, ask, code: Code::InvalidArgument, reason, field }
}

/// The state of the ledger does not allow it.
pub(crate) fn refused(name: &'static str, ask: Ask, reason: &'static str) -> Case {
    Case { name, ask, code: Code::FailedPrecondition, reason, field: "" }
}

/// It names something that is not there.
pub(crate) fn unknown(name: &'static str, ask: Ask, reason: &'static str) -> Case {
    Case { name, ask, code: Code::NotFound, reason, field: "" }
}

/// It is there already with other content.
pub(crate) fn exists(name: &'static str, ask: Ask, reason: &'static str) -> Case {
    Case { name, ask, code: Code::AlreadyExists, reason, field: "" }
}

/// It was meant for an older version.
pub(crate) fn outdated(name: &'static str, ask: Ask) -> Case {
    Case { name, ask, code: Code::Aborted, reason: "VERSION_MISMATCH", field: "" }
}

/// It is more than there may be.
pub(crate) fn beyond(name: &'static str, ask: Ask) -> Case {
    Case { name, ask, code: Code::ResourceExhausted, reason: "LIMIT_REACHED", field: "" }
}
