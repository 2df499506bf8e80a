//! Attendance analytics for gyms with EGYM. See the library for a tour.

use std::process::ExitCode;

fn main() -> ExitCode {
    footfall::app::main()
}
