//! Loads a program, runs it on its own data and then, within limits, on ours; reads scores and digest.
//!
//!   cargo run --release --bin run_digits -- hex/programs/digits.hex

use adead::{Instance, Limits, Program, Runtime};
use std::error::Error;

/// The place of each row's largest score.
fn classes(scores: &[f32]) -> Vec<usize> {
    let best = |row: &[f32]| {
        (0..10)
            .rev()
            .max_by(|&i, &j| row[i].total_cmp(&row[j]))
            .unwrap_or(0)
    };
    scores.chunks(10).map(best).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("usage: run_digits hex/programs/digits.hex")?;
    let runtime = Runtime::new()?;
    let program = Program::load_file(&runtime, path)?;
    for input in program.inputs()? {
        println!(
            "input   {} {} {:?}",
            input.name,
            input.dtype,
            input.dims().collect::<Vec<_>>()
        );
    }

    let mut instance = Instance::with_limits(&program, Limits::new().fuel(100_000_000))?;
    instance.run()?;
    println!(
        "digits  {:?}",
        classes(instance.output("logits")?.as_slice()?)
    );
    println!("sha256  {}", instance.digest("logits")?);

    // A picture of our own, 8 x 8: a ring.
    let rows = [
        "  ####  ", " ##  ## ", " #    # ", " #    # ", " #    # ", " #    # ", " ##  ## ",
        "  ####  ",
    ];
    let image: Vec<f32> = rows
        .concat()
        .chars()
        .map(|c| if c == '#' { 1.0 } else { 0.0 })
        .collect();
    instance.reset()?;
    instance.set_input("images", &[1, 64], &image)?;
    instance.run()?;
    println!(
        "ring    {:?}",
        classes(instance.output("logits")?.as_slice()?)
    );
    println!("fuel    {}", instance.fuel_used());
    Ok(())
}
