//! The `tandem` command; everything is in the library.

#[cfg(feature = "sabotage")]
compile_error!("deliberate faults are never built into `tandem`: add --bin tandem-sabotaged");

/// Values are made on the I/O threads and given up on the arbiters', many for each record: the system's allocator took
/// a quarter of the time of a drain (docs/decisions/0001).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tandem::cli::run()
}
