//! The sample programs from Rust: see tests/frontends/digests.c.

use adead::{Instance, Program, Runtime};
use std::error::Error;

fn run(runtime: &Runtime, name: &str, images: Option<&[f32]>) -> Result<(), Box<dyn Error>> {
    let program = Program::load_file(runtime, format!("hex/programs/{name}.hex"))?;
    let mut instance = Instance::new(&program)?;
    let mut stream = Vec::new();
    if let Some(values) = images {
        instance.set_input("images", &[values.len() as u64 / 64, 64], values)?;
    }
    instance.run_to(&mut stream)?;
    for output in program.outputs()? {
        let shown = if images.is_some() { "heldout" } else { name };
        println!("{}  {shown}/{}", instance.digest(&output.name)?, output.name);
    }
    if images.is_none() {
        println!("{}  {name}/stream", adead::sha256(&stream));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let runtime = Runtime::builder().backend(args[1].as_str()).build()?;
    let file = std::fs::read(&args[2])?;
    let start = 10 + file[8] as usize + 256 * file[9] as usize;
    let images: Vec<f32> = file[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    for name in &args[3..] {
        run(&runtime, name, None)?;
    }
    run(&runtime, "digits", Some(&images))
}
