use super::*;

// The example of the Go implementation that the form comes from.
const PRIVATE_KEY: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const SIGNATURE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC\
                         2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn note() -> String {
    format!("{TEXT}\n{SIGNATURE}")
}

#[test]
fn the_published_example_holds() {
    let signer = Signer::parse(PRIVATE_KEY).unwrap();
    assert_eq!(signer.verifier().to_string(), PUBLIC_KEY);
    assert_eq!(*signer.to_text(), format!("{PRIVATE_KEY}\n"));
    assert_eq!(signer.sign(TEXT), note());
    let verifier = Verifier::parse(PUBLIC_KEY).unwrap();
    assert_eq!((verifier.name(), verifier.open(&note())), ("PeterNeumann", Ok(TEXT)));
    assert_eq!(text_of(&note()), Ok(TEXT));
}

#[test]
fn a_new_key_signs_and_reads_back() {
    let (one, two) = (Signer::random("encours/a").unwrap(), Signer::random("encours/a").unwrap());
    assert_ne!(one.verifier(), two.verifier());
    let again = Signer::parse(&one.to_text()).unwrap();
    assert_eq!(again.verifier(), one.verifier());
    let verifier = Verifier::parse(&one.verifier().to_string()).unwrap();
    assert_eq!(verifier.open(&again.sign("a\n\nb\n")), Ok("a\n\nb\n"));
    assert_eq!(verifier.open(&two.sign("a\n")), Err(NoteError::Unsigned));
    // Others may sign the same note.
    let both = format!("{}{}", note().replace(TEXT, "a\n"), &one.sign("a\n")["a\n\n".len()..]);
    assert_eq!(verifier.open(&both), Ok("a\n"));
}

#[test]
fn a_note_that_was_altered_in_any_byte_is_refused() {
    let (note, verifier) = (note(), Verifier::parse(PUBLIC_KEY).unwrap());
    for at in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[at] ^= 1;
        let opened = std::str::from_utf8(&bytes).is_ok_and(|note| verifier.open(note).is_ok());
        assert!(!opened, "byte {at}");
    }
    let twice = format!("{note}{}", SIGNATURE.replace("x08go/Z", "x08go/Y"));
    assert_eq!(verifier.open(&twice), Err(NoteError::Signature), "all that it signed must hold");
}

#[test]
fn what_is_no_note_or_key_is_refused() {
    let verifier = Verifier::parse(PUBLIC_KEY).unwrap();
    let many = format!("{TEXT}\n{}", SIGNATURE.repeat(101));
    let long = format!("{}{}", "a\n".repeat(NOTE_MAX / 2), note());
    for text in
        ["", "\n\n", TEXT, &note()[..note().len() - 1], &format!("\r{}", note()), &many, &long]
    {
        assert_eq!(verifier.open(text), Err(NoteError::Malformed), "{:?}", text.get(..40));
    }
    for (key, why) in [
        ("", KeyError::Malformed),
        ("a+b", KeyError::Malformed),
        (PRIVATE_KEY, KeyError::Malformed),
        (&PUBLIC_KEY[..60], KeyError::Malformed),
        (&PUBLIC_KEY.replace("+AR", "+BR"), KeyError::Malformed),
        (&PUBLIC_KEY.replace("c74f20a3", "c74f20a4"), KeyError::Id),
        (&PUBLIC_KEY.replace("Peter", "Paula"), KeyError::Id),
        (&PUBLIC_KEY.replace("Peter", "Peter "), KeyError::Name),
    ] {
        assert_eq!(Verifier::parse(key).unwrap_err(), why, "{key}");
    }
    assert_eq!(Signer::parse(PUBLIC_KEY).unwrap_err(), KeyError::Malformed);
    assert_eq!(Signer::random("a b").unwrap_err(), KeyError::Name);
}
