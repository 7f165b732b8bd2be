//! Signed checkpoints and proofs, as an auditor is given them.

use encours_audit::{Checkpoint, Signer, Verifier, merkle};
use encours_log::Hash;

/// A checkpoint where the first byte is even, else a proof.
///
/// # Panics
/// Where a checkpoint that is read is written otherwise.
pub fn note(data: &[u8]) {
    let Some((&what, data)) = data.split_first() else { return };
    if what & 1 == 1 {
        return proof(data);
    }
    let Ok(text) = str::from_utf8(data) else { return };
    drop((Verifier::parse(text), Signer::parse(text)));
    if let Ok(checkpoint) = Checkpoint::unchecked(text) {
        let name = checkpoint.to_text().lines().next().unwrap_or_default().to_owned();
        let signer = Signer::random(&name).expect("a key");
        // Nobody else's signature holds for it.
        assert!(Checkpoint::open(text, signer.verifier()).is_err());
        let note = signer.sign(&checkpoint.to_text());
        assert_eq!(Checkpoint::open(&note, signer.verifier()), Ok(checkpoint));
    }
}

/// Two numbers, two hashes and a path.
fn proof(data: &[u8]) {
    let Some((numbers, rest)) = data.split_first_chunk::<16>() else { return };
    let [a, b] = [&numbers[..8], &numbers[8..]]
        .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")));
    let mut hashes = rest.chunks_exact(32).map(|chunk| Hash(chunk.try_into().expect("32 bytes")));
    let (Some(one), Some(two)) = (hashes.next(), hashes.next()) else { return };
    let path: Vec<_> = hashes.collect();
    if let Ok(root) = merkle::root_of_inclusion(a, b, &one, &path) {
        let checked = merkle::check_inclusion(a, b, &one, &path, &root);
        assert!(checked.is_ok(), "{checked:?}");
    }
    let _ = merkle::check_consistency((a, &one), (b, &two), &path);
}
