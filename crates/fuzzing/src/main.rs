//! Runs targets for longer than a test does: what `cargo xtask fuzz` starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fuzzing::campaign::{self, Finding};
use fuzzing::{TARGETS, Target, target};

const HELP: &str = "\
cargo xtask fuzz [--seconds N] [--target NAME] [--seed S] [--jobs J]

  --seconds N    how long each target runs (10)
  --target NAME  only this one; may be given again
  --seed S       begins with this seed (1); each job takes the next
  --jobs J       threads (1)

cargo xtask fuzz --replay FILE --target NAME   one input again
cargo xtask fuzz --seeds FOLDER                writes the seeds of all targets, for libFuzzer
";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fuzz: {error:#}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

/// What was asked for.
struct Wish {
    time: Duration,
    targets: Vec<&'static Target>,
    seed: u64,
    jobs: u64,
    replay: Option<PathBuf>,
    seeds: Option<PathBuf>,
}

/// Whether everything held.
fn run(words: &[String]) -> Result<bool> {
    let wish = read(words)?;
    if let Some(folder) = &wish.seeds {
        return write_seeds(folder).map(|()| true);
    }
    if let Some(file) = &wish.replay {
        return replay(file, &wish.targets);
    }
    let mut whole = true;
    for target in &wish.targets {
        whole &= fuzz(target, &wish)?;
    }
    Ok(whole)
}

fn read(words: &[String]) -> Result<Wish> {
    let mut wish = Wish {
        time: Duration::from_secs(10),
        targets: Vec::new(),
        seed: 1,
        jobs: 1,
        replay: None,
        seeds: None,
    };
    for pair in words.chunks(2) {
        let [name, value] = pair else { bail!("{:?} needs a value", pair.first()) };
        let number = || value.parse::<u64>().with_context(|| format!("{name} {value}"));
        match name.as_str() {
            "--seconds" => wish.time = Duration::from_secs(number()?),
            "--target" => {
                let found = target::find(value);
                wish.targets.push(found.with_context(|| format!("there is no target {value}"))?);
            }
            "--seed" => wish.seed = number()?,
            "--jobs" => wish.jobs = number()?.max(1),
            "--replay" => wish.replay = Some(value.into()),
            "--seeds" => wish.seeds = Some(value.into()),
            _ => bail!("there is no {name}"),
        }
    }
    if wish.targets.is_empty() {
        wish.targets = TARGETS.iter().collect();
    }
    Ok(wish)
}

/// Runs one target on all threads; the first finding ends it.
fn fuzz(target: &'static Target, wish: &Wish) -> Result<bool> {
    let (begin, found) = (Instant::now(), AtomicBool::new(false));
    let job = |seed: u64| {
        let (tried, finding) = campaign::run(target, seed, |_| {
            begin.elapsed() < wish.time && !found.load(Ordering::Relaxed)
        });
        if finding.is_some() {
            found.store(true, Ordering::Relaxed);
        }
        (seed, tried, finding)
    };
    let results: Vec<(u64, u64, Option<Finding>)> = thread::scope(|scope| {
        let jobs: Vec<_> =
            (0..wish.jobs).map(|n| scope.spawn(move || job(wish.seed.wrapping_add(n)))).collect();
        jobs.into_iter().filter_map(|job| job.join().ok()).collect()
    });
    let took = begin.elapsed().as_secs_f64();
    let tried: u64 = results.iter().map(|(_, tried, _)| tried).sum();
    // Lossless for any run that ends.
    let rate = tried as f64 / took.max(0.001);
    println!("{:<14} {tried:>10} inputs in {took:>6.1} s: {rate:>9.0}/s", target.name);
    for (seed, tried, finding) in &results {
        if let Some(finding) = finding {
            save(target, finding, *seed, *tried)?;
        }
    }
    Ok(results.iter().all(|(_, _, finding)| finding.is_none()))
}

/// Writes a finding down, as small as it gets.
fn save(target: &Target, finding: &Finding, seed: u64, tried: u64) -> Result<()> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/artifacts").join(target.name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {folder:?}"))?;
    let file = folder.join(format!("seed-{seed}-input-{tried}"));
    // Whole at first: making it smaller may take longer than somebody waits.
    fs::write(&file, &finding.data).with_context(|| format!("cannot write {file:?}"))?;
    println!("  {}", finding.said);
    let least = campaign::smaller(target, &finding.data);
    fs::write(&file, &least).with_context(|| format!("cannot write {file:?}"))?;
    println!(
        "  {}\n  {} of {} bytes in {}",
        least.escape_ascii(),
        least.len(),
        finding.data.len(),
        file.display()
    );
    println!("  when it is mended, keep it in crates/fuzzing/findings/{}/", target.name);
    Ok(())
}

fn replay(file: &Path, targets: &[&Target]) -> Result<bool> {
    let data = fs::read(file).with_context(|| format!("cannot read {file:?}"))?;
    let mut whole = true;
    for target in targets {
        match campaign::breaks(target, &data) {
            Some(said) => {
                whole = false;
                println!("{}: {said}", target.name);
            }
            None => println!("{}: holds", target.name),
        }
    }
    Ok(whole)
}

/// One folder a target, one file a seed: where libFuzzer begins.
fn write_seeds(folder: &Path) -> Result<()> {
    for target in TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {folder:?}"))?;
        for (n, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{n:03}")), seed)?;
        }
    }
    Ok(())
}
