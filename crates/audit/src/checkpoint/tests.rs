use super::*;
use crate::note::Signer;

const TEXT: &str = "encours/07070707070707070707070707070707\n\
                    1234\n\
                    CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n\
                    frame 56 AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n\
                    recorded-at 2026-01-05T08:00:00.000250Z\n";

fn checkpoint() -> Checkpoint {
    Checkpoint {
        log_id: LogId([7; 16]),
        size: 1_234,
        root: Hash([9; 32]),
        frame: FrameNumber(56),
        frame_hash: Hash([3; 32]),
        recorded_at: Micros(1_767_600_000_000_250),
    }
}

#[test]
fn it_reads_back_what_it_writes() {
    assert_eq!(checkpoint().to_text(), TEXT);
    let signer = Signer::random("encours/07070707070707070707070707070707").unwrap();
    let note = signer.sign(TEXT);
    assert_eq!(Checkpoint::open(&note, signer.verifier()), Ok(checkpoint()));
    assert_eq!(Checkpoint::unchecked(&note), Ok(checkpoint()));
    assert_eq!(checkpoint().day(), "2026-01-05");
    let known = checkpoint().known("somebody");
    assert_eq!((known.number, known.hash), (FrameNumber(56), Hash([3; 32])));
}

#[test]
fn a_key_of_another_log_signs_nothing_here() {
    let other = Signer::random("encours/08080808080808080808080808080808").unwrap();
    let opened = Checkpoint::open(&other.sign(TEXT), other.verifier());
    assert_eq!(opened, Err(CheckpointError::OtherLog));
}

#[test]
fn a_line_that_is_malformed_is_named() {
    let signer = Signer::random("encours/07070707070707070707070707070707").unwrap();
    for (line, from, to) in [
        (1, "encours/", "example/"),
        (1, "0707\n", "07\n"),
        (2, "1234", "01234"),
        (2, "1234", "+1234"),
        (2, "1234", "99999999999999999999"),
        (3, "CQkJ", "CQk"),
        (4, "frame 56", "frames 56"),
        (4, "56", "-56"),
        (4, "M=\n", "M\n"),
        (5, "08:00", "08h00"),
        (5, "recorded-at", "recorded"),
    ] {
        let note = signer.sign(&TEXT.replacen(from, to, 1));
        let refused = Checkpoint::open(&note, signer.verifier());
        assert_eq!(refused, Err(CheckpointError::Line { line }), "{from} as {to}");
    }
}
