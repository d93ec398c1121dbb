//! The smallest use of the crate: one matrix product.
//!
//!   cargo run --release --bin hello_matmul

fn main() -> adead::Result<()> {
    let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let b = [7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
    let mut c = [0.0; 4];

    let runtime = adead::Runtime::new()?;
    runtime.matmul(&a, &b, &mut c, (2, 2, 3))?; // c[2,2] = a[2,3] b[3,2]
    println!("{} {}\n{} {}", c[0], c[1], c[2], c[3]);
    Ok(())
}
