//! The `tandem` command; everything is in the library.

#[cfg(feature = "sabotage")]
compile_error!("deliberate faults are never built into `tandem`: add --bin tandem-sabotaged");

fn main() -> std::process::ExitCode {
    tandem::cli::run()
}
