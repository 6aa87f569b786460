//! Clocks, counters, and the lines that they end in.

use std::io::Write as _;
use std::time::Instant;
use std::{env, fs};

/// Adds `{"column":..,"case":..,"n":..,"value":..,"unit":..}` to the file that `BENCH_OUT` names, or prints it.
pub fn emit(column: &str, case: &str, n: u64, value: f64, unit: &str) {
    let line = format!(
        "{{\"column\":\"{column}\",\"case\":\"{case}\",\"n\":{n},\"value\":{value:.9},\"unit\":\"{unit}\"}}\n"
    );
    match env::var_os("BENCH_OUT") {
        None => print!("{line}"),
        Some(path) => {
            let file = fs::OpenOptions::new().create(true).append(true).open(path);
            let mut file = file.expect("the file in BENCH_OUT can be opened");
            file.write_all(line.as_bytes()).expect("the file in BENCH_OUT can be written");
        }
    }
}

/// The value at `p`, from 0 to 1, of what `values` are sorted.
pub fn percentile(values: &mut [f64], p: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * p).round() as usize]
}

/// CPU seconds of this process, user and system, all threads.
pub fn cpu() -> f64 {
    // SAFETY: all-zero is a valid `rusage`, and the pointer is to it.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// CPU seconds of this thread.
pub fn thread_cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Resource usage of this thread, as the system counts it.
fn thread_usage() -> libc::rusage {
    // SAFETY: all-zero is a valid `rusage`, and the pointer is to it.
    unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage
    }
}

/// Number of times that the system preempted this thread.
pub fn preemptions() -> i64 {
    thread_usage().ru_nivcsw
}

/// Number of page faults of this thread.
pub fn faults() -> i64 {
    let usage = thread_usage();
    usage.ru_minflt + usage.ru_majflt
}

/// Bytes of live heap blocks, with what the allocator puts around them.
pub fn heap() -> f64 {
    // SAFETY: it has no arguments.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as f64
}

/// Gives free memory back to the system.
pub fn trim() {
    // SAFETY: it may be called at any time.
    unsafe { libc::malloc_trim(0) };
}

/// Resident bytes now (`VmRSS`), or at most so far (`VmHWM`).
pub fn resident(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the field");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok());
    kib.expect("a number") * 1024.0
}

/// Seconds from the `fields` (by their number, from 0) of a line of clock ticks.
fn ticks(line: &str, fields: impl Iterator<Item = usize>) -> Option<f64> {
    // SAFETY: it reads a constant.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    let all: Vec<&str> = line.split_whitespace().collect();
    let mut sum = 0.0;
    for field in fields {
        sum += all.get(field)?.parse::<f64>().ok()?;
    }
    Some(sum / a_second)
}

/// CPU seconds of the server, whose process `BENCH_SERVER_PID` names.
fn server_cpu() -> Option<f64> {
    let pid = env::var("BENCH_SERVER_PID").ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the program's name, which may contain anything: the state, then numbers.
    ticks(stat.rsplit_once(')')?.1, 11..13)
}

/// CPU seconds of the whole machine, with those that its host took away.
fn machine_cpu() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    // cpu user nice system idle iowait irq softirq steal
    ticks(stat.lines().next()?, [1, 2, 3, 6, 7, 8].into_iter())
}

/// Resources used from a moment on.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub at: Instant,
    pub cpu: f64,
    server: Option<f64>,
    machine: Option<f64>,
}

impl Span {
    pub fn start() -> Self {
        let (server, machine) = (server_cpu(), machine_cpu());
        Self { at: Instant::now(), cpu: cpu(), server, machine }
    }

    pub fn wall(&self) -> f64 {
        self.at.elapsed().as_secs_f64()
    }

    pub fn cpu(&self) -> f64 {
        cpu() - self.cpu
    }

    /// Reports the cores that neither this process nor the server used: what makes wall times doubtful.
    pub fn emit_noise(&self, column: &str, case: &str, n: u64) {
        let (wall, own) = (self.wall(), self.cpu());
        let others = || {
            let server = server_cpu()? - self.server?;
            Some((machine_cpu()? - self.machine? - server - own) / wall)
        };
        if let Some(cores) = others() {
            emit(column, &format!("{case}.noise"), n, cores.max(0.0), "cores");
        }
    }
}
