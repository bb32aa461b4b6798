//! The `tandem` command with deliberate faults built in, which `TANDEM_SABOTAGE` chooses from.

fn main() -> std::process::ExitCode {
    tandem::cli::run()
}
