//! `encours completions bash|zsh|fish`: what a shell needs to complete commands and flags.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::aot;

use crate::args::Cli;
use crate::failure::Outcome;

pub(crate) const EXAMPLES: &str = "\
Examples:
  encours completions bash > ~/.local/share/bash-completion/completions/encours
  encours completions zsh > ~/.zfunc/_encours
  encours completions fish > ~/.config/fish/completions/encours.fish";

/// What `encours completions` takes.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script of a shell.
pub(crate) fn run(args: &CompletionsArgs) -> Outcome {
    let script = script(args.shell);
    let mut out = io::stdout().lock();
    out.write_all(&script)?;
    Ok(out.flush()?)
}

fn script(shell: Shell) -> Vec<u8> {
    // WHY not straight to standard output: the generator panics where that is closed.
    let mut script = Vec::new();
    let mut command = Cli::command();
    match shell {
        Shell::Bash => aot::generate(aot::Bash, &mut command, "encours", &mut script),
        Shell::Zsh => aot::generate(aot::Zsh, &mut command, "encours", &mut script),
        Shell::Fish => aot::generate(aot::Fish, &mut command, "encours", &mut script),
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_verbs_and_flags() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            for word in ["deallocate", "credit-note", "keep-unapplied", "segment-mib"] {
                assert!(script.contains(word), "{shell:?} does not know {word}");
            }
        }
    }
}
