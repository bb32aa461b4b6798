//! Generates the Pub/Sub API client from the published wire contract; needs no protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let contract = "orgsim/proto/pubsub_api.proto";
    println!("cargo::rerun-if-changed={contract}");
    let descriptors = protox::compile([contract], ["orgsim/proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .bytes(".")
        .codec_path("crate::salesforce::pubsub::codec::Sparing")
        .compile_fds(descriptors)?;
    Ok(())
}
