//! Pages: sizes, opaque tokens bound to the list they were given for, answers of bounded size.

use encours_projections::{Items, Key, MAX_PAGE, Order, Page};
use encours_proto::Message;
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, INVALID_PAGE_SIZE, INVALID_PAGE_TOKEN};

/// Entries of a page where the request does not say.
pub const DEFAULT_PAGE_SIZE: usize = 50;
/// The most bytes of entries in an answer; past them the page is short. Half of what clients
/// take by default.
pub const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

const DIGEST_BYTES: usize = 8;
const PLACE_BYTES: usize = 8;
const TOKEN_LEN: usize = (DIGEST_BYTES + PLACE_BYTES) * 2;

/// A list with its filter: what a token is bound to.
#[derive(Clone, Debug)]
pub(crate) struct List(Sha256);

impl List {
    /// The list that `method` gives for `scope`: a request without its page size, token and minimal
    /// position.
    pub(crate) fn of(method: &str, scope: &impl Message) -> Self {
        let digest = Sha256::new().chain_update(method).chain_update([0]);
        Self(digest.chain_update(scope.encode_to_vec()))
    }

    /// The token that goes on after `place`.
    pub(crate) fn token(&self, place: u64) -> String {
        let mut token = String::with_capacity(TOKEN_LEN);
        for byte in self.digest(place).iter().chain(&place.to_be_bytes()) {
            use std::fmt::Write as _;
            let _ = write!(token, "{byte:02x}");
        }
        token
    }

    /// The place that a token goes on after; `None` for the first page.
    pub(crate) fn place(&self, token: &str) -> Result<Option<u64>, Failure> {
        if token.is_empty() {
            return Ok(None);
        }
        let place = token
            .get(DIGEST_BYTES * 2..)
            .filter(|place| place.len() == PLACE_BYTES * 2)
            .and_then(|place| u64::from_str_radix(place, 16).ok());
        match place {
            Some(place) if self.token(place) == token => Ok(Some(place)),
            _ => Err(Failure::new(
                INVALID_PAGE_TOKEN,
                "page_token was not given for this list with this filter",
            )
            .about("page_token")),
        }
    }

    fn digest(&self, place: u64) -> [u8; DIGEST_BYTES] {
        let digest = self.0.clone().chain_update(place.to_be_bytes()).finalize();
        let mut first = [0; DIGEST_BYTES];
        first.copy_from_slice(&digest[..DIGEST_BYTES]);
        first
    }

    /// The page of the read model that a request asks for.
    pub(crate) fn page(&self, size: i32, token: &str, order: Order) -> Result<Page, Failure> {
        Ok(Page { after: self.place(token)?.map(Key), limit: page_size(size)?, order })
    }

    /// The entries of an answer and the token of the next page. Where the entries are too many
    /// bytes, those at the end wait for the next page; `place` tells the place of each.
    pub(crate) fn answer<T, M: Message>(
        &self,
        items: Items<T>,
        place: impl Fn(&T) -> Key,
        write: impl Fn(T) -> Result<M, Failure>,
    ) -> Result<(Vec<M>, String), Failure> {
        let mut messages = Vec::with_capacity(items.items.len());
        let mut bytes = 0;
        let mut last: Option<Key> = None;
        for item in items.items {
            let at = place(&item);
            let message = write(item)?;
            bytes += message.encoded_len();
            if bytes > MAX_PAGE_BYTES
                && let Some(last) = last
            {
                return Ok((messages, self.token(last.0)));
            }
            messages.push(message);
            last = Some(at);
        }
        let next = items.next.map_or_else(String::new, |next| self.token(next.0));
        Ok((messages, next))
    }
}

/// The most entries that a request asks for.
pub(crate) fn page_size(size: i32) -> Result<usize, Failure> {
    match usize::try_from(size) {
        Ok(0) => Ok(DEFAULT_PAGE_SIZE),
        Ok(size) if size <= MAX_PAGE => Ok(size),
        _ => Err(Failure::new(
            INVALID_PAGE_SIZE,
            format!("page_size is {size}, 1 to {MAX_PAGE} are allowed"),
        )
        .about("page_size")
        .with("page_size", size)
        .with("limit", MAX_PAGE)),
    }
}

#[cfg(test)]
mod tests {
    use encours_proto::v1;

    use super::*;

    fn list(customer: &str) -> List {
        let filter = v1::InvoiceFilter { customer_id: customer.into(), ..Default::default() };
        List::of("ListInvoices", &filter)
    }

    #[test]
    fn a_token_leads_on_in_its_own_list_only() {
        let token = list("ada").token(41);
        assert_eq!(list("ada").place(&token), Ok(Some(41)));
        assert_eq!(list("ada").place(""), Ok(None));
        assert!(list("bob").place(&token).is_err());
        let filter = v1::InvoiceFilter { customer_id: "ada".into(), ..Default::default() };
        assert!(List::of("ListPayments", &filter).place(&token).is_err());
    }

    #[test]
    fn a_garbled_token_is_refused() {
        let token = list("ada").token(41);
        for at in 0..token.len() {
            let mut garbled = token.clone().into_bytes();
            garbled[at] = if garbled[at] == b'0' { b'1' } else { b'0' };
            let garbled = String::from_utf8(garbled).unwrap();
            assert!(list("ada").place(&garbled).is_err(), "{garbled}");
        }
        for wrong in ["x", "é".repeat(16).as_str(), &token[1..], &format!("{token}0"), "+1"] {
            assert!(list("ada").place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn page_sizes_have_a_default_and_a_limit() {
        assert_eq!(page_size(0), Ok(50));
        assert_eq!(page_size(1_000), Ok(1_000));
        assert!(page_size(1_001).is_err());
        assert!(page_size(-1).is_err());
    }

    #[test]
    fn a_page_of_large_entries_is_short() {
        let items = Items { items: vec![1_u32, 2, 3], next: None };
        let write =
            |_| Ok(v1::Customer { note: "n".repeat(MAX_PAGE_BYTES / 2), ..Default::default() });
        let (page, next) = list("ada").answer(items, |no| Key(u64::from(*no)), write).unwrap();
        assert_eq!(page.len(), 1);
        assert_eq!(list("ada").place(&next), Ok(Some(1)));
    }
}
