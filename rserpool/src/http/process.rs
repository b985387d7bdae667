//! The process, under the names that all exporters use. They come from Linux; elsewhere there are none.

use nix::unistd::{SysconfVar, sysconf};

use super::exposition::Family;

/// What is known of this process.
pub(super) fn families() -> Vec<Family> {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let system = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let ticks = system_value(SysconfVar::CLK_TCK);
    let page = system_value(SysconfVar::PAGE_SIZE);
    let mut families = Vec::new();
    if let (Some(stat), Some(ticks), Some(page)) = (Stat::read(&stat), ticks, page) {
        families.push(Family::counter(
            "process_cpu_seconds",
            "Total user and system CPU time spent in seconds.",
            stat.cpu_ticks / ticks,
        ));
        families.push(Family::gauge(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            stat.resident_pages * page,
        ));
        families.push(Family::gauge(
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            stat.virtual_bytes,
        ));
        if let Some(boot) =
            system.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok())
        {
            families.push(Family::gauge(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
                boot + stat.started_ticks / ticks,
            ));
        }
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the directory that is read.
        let open = open.count().saturating_sub(1) as f64;
        families.push(Family::gauge("process_open_fds", "Number of open file descriptors.", open));
    }
    if let Some(most) = most_files(&limits) {
        families.push(Family::gauge("process_max_fds", "Maximum number of open file descriptors.", most));
    }
    families
}

fn system_value(name: SysconfVar) -> Option<f64> {
    sysconf(name).ok().flatten().map(|value| value as f64)
}

/// What Linux says of a process in one line (proc(5)).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    started_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // The name of the program may contain spaces and brackets; the third field follows the last bracket.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            started_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_of_a_process_is_read() {
        let text =
            "7 (a ) b) S 1 7 7 0 -1 4 100 0 0 0 250 50 0 0 20 0 4 0 12345 9000000 700 18446744073709551615 1";
        let expected = Stat {
            cpu_ticks: 300.0,
            started_ticks: 12_345.0,
            virtual_bytes: 9_000_000.0,
            resident_pages: 700.0,
        };
        assert_eq!(Stat::read(text), Some(expected));
        assert_eq!(Stat::read("7 (a) S 1"), None);
        assert_eq!(
            most_files("Limit  Soft  Hard  Units\nMax open files   1024   4096   files\n"),
            Some(1024.0)
        );
    }
}
