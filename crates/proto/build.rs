//! Compiles `proto/encours/v1/*.proto` without an installed `protoc`.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let folder = root.join("encours/v1");
    println!("cargo:rerun-if-changed={}", folder.display());

    let mut files = std::fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "proto"));
    files.sort();

    let mut descriptors = protox::compile(&files, [&root])?;
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .btree_map(".")
        .codec_path("crate::codec::WireCodec")
        .compile_fds_with_config(descriptors.clone(), config)?;

    // WHY: reflection serves the shapes; the comments are read in the files, and would make every
    // answer of it five times as long.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    #[expect(clippy::disallowed_methods, reason = "a build has no Disk to go through")]
    std::fs::write(out.join("encours_descriptor.bin"), descriptors.encode_to_vec())?;
    Ok(())
}
