//! When a command that runs for long is asked to end.

use std::io::Read as _;

use tokio::signal::unix::{SignalKind, signal};

/// Completes at SIGTERM, at SIGINT (Ctrl-C), and with `stdin` when standard input ends: then the parent is gone.
pub(super) async fn asked(stdin: bool) -> &'static str {
    // A process that cannot listen to signals still dies of them; waiting for ever is right then.
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let terminated = async {
        match terminate {
            Ok(mut signals) => signals.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    let interrupted = async {
        match interrupt {
            Ok(mut signals) => signals.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminated => "SIGTERM",
        _ = interrupted => "SIGINT",
        () = input_ends(stdin) => "the end of standard input",
    }
}

/// Reads standard input on its own thread: a blocking task would keep the runtime from ending.
async fn input_ends(wanted: bool) {
    if !wanted {
        return std::future::pending().await;
    }
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 1024];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut buffer), Ok(n) if n > 0) {}
        // Nobody listens any more when a signal came first.
        ended.send(()).ok();
    });
    end.await.ok();
}
