//! `rserpool-sim paper`, `run`, `merge` and `report`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use rserpool_sim_driver::study::{
    self, Claim, Outcome, PaperOptions, Profile, Progress, Shard, Study, StudyError, Verdict,
};
use serde::{Deserialize, Serialize};

/// Wrong usage or configuration (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;

/// The file in a directory that says what is run there.
const TASK: &str = "task.json";

#[derive(clap::Args)]
pub(crate) struct PaperArguments {
    /// Only this figure; may be given several times [default: all].
    #[arg(long = "figure", value_name = "5|6|7")]
    figures: Vec<u8>,
    /// `literal` has the values that the paper prints, `calibrated` those with which its counts come out.
    #[arg(long, default_value = "calibrated", value_parser = parse_profile)]
    profile: Profile,
    /// Runs for each point.
    #[arg(long, default_value_t = 50)]
    seeds: u32,
    /// Draw capacities in strata, so that runs differ less and few are enough.
    #[arg(long)]
    stratified: bool,
    /// Write the points to this file, as `schemas/paper.json` describes them.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// End with status 1 if a claim is missed that is not among these, separated by commas.
    #[arg(long, value_name = "CLAIMS", value_delimiter = ',', num_args = 0..)]
    may_miss: Option<Vec<String>>,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
pub(crate) struct RunArguments {
    /// The file of the experiment.
    file: PathBuf,
    /// Runs for each point, instead of the number in the file.
    #[arg(long)]
    seeds: Option<u32>,
    /// Write all results to this file, too, as `schemas/results.json` describes them.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// How a sweep is run.
#[derive(clap::Args)]
struct How {
    /// The directory for runs, results and charts [default: the name of the study]. Runs that are there already are
    /// not repeated.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run only part I of N, with I from 1 to N; `merge` joins the parts.
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    shard: Option<Shard>,
    /// Threads [default: one for each core].
    #[arg(long)]
    jobs: Option<usize>,
}

#[derive(clap::Args)]
pub(crate) struct MergeArguments {
    /// The directory for the whole.
    out: PathBuf,
    /// The directories of the parts.
    #[arg(required = true)]
    parts: Vec<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct ReportArguments {
    /// The directory of a study that was run.
    directory: PathBuf,
}

/// What is run in a directory, so that parts can be joined.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Task {
    Paper { profile: String, figures: Vec<u8>, seeds: u32, stratified: bool },
    Experiment { name: String, content: String, seeds: Option<u32> },
}

fn parse_profile(text: &str) -> Result<Profile, String> {
    [Profile::Literal, Profile::Calibrated]
        .into_iter()
        .find(|profile| profile.name() == text)
        .ok_or_else(|| "there are literal and calibrated".into())
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let (number, of) = text.split_once('/').ok_or("write it as I/N")?;
    let parse = |text: &str| text.parse::<usize>().map_err(|_| "write it as I/N".to_owned());
    Shard::part(parse(number)?, parse(of)?).map_err(|error| error.to_string())
}

fn input(problem: String) -> StudyError {
    StudyError::Input(problem)
}

/// Says in one line what was wrong.
fn ended(outcome: Result<ExitCode, StudyError>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rserpool-sim: {error}");
            if matches!(error, StudyError::Input(_)) { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

pub(crate) fn paper(arguments: &PaperArguments) -> ExitCode {
    ended((|| {
        let mut figures =
            if arguments.figures.is_empty() { vec![5, 6, 7] } else { arguments.figures.clone() };
        figures.sort_unstable();
        figures.dedup();
        if let Some(figure) = figures.iter().find(|figure| ![5, 6, 7].contains(*figure)) {
            return Err(input(format!("there is no figure {figure}: choose among 5, 6 and 7")));
        }
        let task = Task::Paper {
            profile: arguments.profile.name().into(),
            figures,
            seeds: arguments.seeds,
            stratified: arguments.stratified,
        };
        let study = study_of(&task)?;
        let Some(outcome) = run_sweep(&study, &task, &arguments.how)? else { return Ok(ExitCode::SUCCESS) };
        if let Some(path) = &arguments.json {
            study::write_json(&study::paper_points(&study, &outcome), path)?;
        }
        Ok(tell_paper(&study, &outcome, arguments.may_miss.as_deref()))
    })())
}

pub(crate) fn run(arguments: &RunArguments) -> ExitCode {
    ended((|| {
        let content = std::fs::read_to_string(&arguments.file)
            .map_err(|error| input(format!("{} cannot be read: {error}", arguments.file.display())))?;
        let name =
            arguments.file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let task = Task::Experiment { name, content, seeds: arguments.seeds };
        let study = study_of(&task)?;
        let Some(outcome) = run_sweep(&study, &task, &arguments.how)? else { return Ok(ExitCode::SUCCESS) };
        if let Some(path) = &arguments.json {
            study::write_json(&study::results(&study, &outcome), path)?;
        }
        tell_points(&study, &outcome);
        Ok(ExitCode::SUCCESS)
    })())
}

pub(crate) fn merge(arguments: &MergeArguments) -> ExitCode {
    ended((|| {
        let tasks = arguments.parts.iter().map(|part| read_task(part)).collect::<Result<Vec<_>, _>>()?;
        let Some(task) = tasks.first() else { return Err(input("no part is named".into())) };
        if let Some(other) = tasks.iter().position(|other| other != task) {
            let (first, other) = (arguments.parts[0].display(), arguments.parts[other].display());
            return Err(input(format!("{first} and {other} are parts of different studies")));
        }
        let study = study_of(task)?;
        let parts: Vec<&Path> = arguments.parts.iter().map(PathBuf::as_path).collect();
        let outcome = study::merge(&study, &arguments.out, &parts)?;
        write_task(&arguments.out, task)?;
        study::write_all(&study, &outcome, &arguments.out)?;
        println!("{} runs in {}", study.points.len() * study.seeds as usize, arguments.out.display());
        Ok(ExitCode::SUCCESS)
    })())
}

pub(crate) fn report(arguments: &ReportArguments) -> ExitCode {
    ended(study::report(&arguments.directory).map(|path| {
        println!("{}", path.display());
        ExitCode::SUCCESS
    }))
}

fn study_of(task: &Task) -> Result<Study, StudyError> {
    match task {
        Task::Paper { profile, figures, seeds, stratified } => {
            study::check_seeds(*seeds).map_err(input)?;
            let mut options = PaperOptions::default();
            options.profile = parse_profile(profile).map_err(input)?;
            options.figures.clone_from(figures);
            options.seeds = *seeds;
            options.stratified = *stratified;
            Ok(study::paper(&options))
        }
        Task::Experiment { name, content, seeds } => study::parse_experiment(name, content, *seeds),
    }
}

fn read_task(directory: &Path) -> Result<Task, StudyError> {
    let path = directory.join(TASK);
    let no_part =
        |problem: String| input(format!("{} is not part of a study: {problem}", directory.display()));
    let text =
        std::fs::read_to_string(&path).map_err(|error| no_part(format!("{TASK} cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|_| no_part(format!("{TASK} is not of this version")))
}

fn write_task(directory: &Path, task: &Task) -> Result<(), StudyError> {
    study::write_json(&serde_json::to_value(task).unwrap_or_default(), &directory.join(TASK))
}

/// Runs what is missing, and writes results if nothing is missing then.
fn run_sweep(study: &Study, task: &Task, how: &How) -> Result<Option<Outcome>, StudyError> {
    let directory = how.out.clone().unwrap_or_else(|| PathBuf::from(&study.name));
    let shard = how.shard.unwrap_or(Shard::WHOLE);
    let jobs = how.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    if jobs == 0 {
        return Err(input("jobs = 0: at least one is needed".into()));
    }
    std::fs::create_dir_all(&directory)
        .map_err(|error| StudyError::File(format!("{} cannot be made: {error}", directory.display())))?;
    write_task(&directory, task)?;
    let bar = ProgressBar::new(0);
    let style = "{elapsed_precise} [{bar:40}] {pos}/{len} runs, {msg}{eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    let begun = Instant::now();
    let last = std::sync::Mutex::new(Progress::default());
    let outcome = study::sweep(study, &directory, shard, jobs, |progress| {
        bar.set_length(progress.all as u64);
        bar.set_position(progress.done as u64);
        if let Ok(mut last) = last.lock() {
            *last = progress;
        }
    });
    bar.finish_and_clear();
    let outcome = outcome?;
    if let Ok(progress) = last.lock() {
        tell_speed(*progress, begun.elapsed().as_secs_f64(), jobs);
    }
    match &outcome {
        Some(outcome) => {
            study::write_all(study, outcome, &directory)?;
            println!("results and charts are in {}", directory.display());
        }
        None => println!("this part is in {}; join all parts with rserpool-sim merge", directory.display()),
    }
    Ok(outcome)
}

fn tell_speed(progress: Progress, seconds: f64, jobs: usize) {
    let fresh = progress.done - progress.known;
    let memory = peak_memory().map(|mib| format!(", at most {mib} MiB of memory")).unwrap_or_default();
    println!(
        "{fresh} runs in {seconds:.1} s with {jobs} threads ({} were known): {:.0} events/s{memory}",
        progress.known,
        progress.events as f64 / seconds.max(1e-9),
    );
}

/// The most memory that this process has had, in MiB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
}

fn tell_paper(study: &Study, outcome: &Outcome, may_miss: Option<&[String]>) -> ExitCode {
    let counts = study::counts(study, outcome);
    if !counts.is_empty() {
        println!("\nrequests completed in figure 6   paper     here");
        for (policy, at, paper, ours) in counts {
            println!("{policy:>26} {at:>5} {paper:>7} {ours:>8.0}");
        }
    }
    println!();
    let claims = study::judged(study, outcome);
    for Claim { id, claim, paper, gate, measured, verdict, reason, .. } in &claims {
        match verdict {
            Verdict::NotSimulated => println!("{id:>3}  not simulated   {claim}"),
            Verdict::Holds => println!("{id:>3}  holds   {claim}: {measured} (paper: {paper}; gate: {gate})"),
            Verdict::Missed => {
                let reason = reason.as_deref().unwrap_or_default();
                println!(
                    "{id:>3}  MISSED  {claim}: {measured} (paper: {paper}; gate: {gate})\n     {reason}"
                );
            }
        }
    }
    let missed = |claim: &&Claim| claim.verdict == Verdict::Missed;
    let surprising = |claim: &&Claim| may_miss.is_some_and(|may| !may.iter().any(|id| id == claim.id));
    match claims.iter().filter(missed).any(|claim| surprising(&claim)) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn tell_points(study: &Study, outcome: &Outcome) {
    let mut shown: Vec<&str> = study.charts.iter().map(|chart| chart.y.as_str()).collect();
    if shown.is_empty() {
        shown.push("completed");
    }
    for (point, runs) in outcome.points(study) {
        let swept: Vec<String> = point.swept.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let seen: Vec<String> = shown
            .iter()
            .map(|key| {
                let mean = study::mean(runs, key);
                let half = mean.ci95.map(|half| format!(" ± {half:.2}")).unwrap_or_default();
                format!("{key} {:.2}{half}", mean.mean)
            })
            .collect();
        let swept = if swept.is_empty() { study.name.clone() } else { swept.join(", ") };
        println!("{swept}: {}", seen.join(", "));
    }
}
