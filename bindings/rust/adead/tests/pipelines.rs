//! Pipelines: the bits of the same operations one after the other, what cannot be added, and that nothing stays behind.

use adead::{Activation, Code, Error, Matmul, Meter, Pipeline, Runtime};

const IN: usize = 11;
const WIDE: usize = 19;
const OUT: usize = 5;

fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2654435761) | 1;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 20) as f32 / 512.0 - 4.0
    };
    (0..count).map(|_| next()).collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn runtime(backend: &str) -> Runtime {
    Runtime::builder().backend(backend).threads(2).build().unwrap()
}

struct Weights {
    w1: Vec<f32>,
    b1: Vec<f32>,
    w2: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

fn weights() -> Weights {
    let (w1, b1, w2) = (values(IN * WIDE, 1), values(WIDE, 2), values(WIDE * OUT, 3));
    Weights { w1, b1, w2, gamma: values(WIDE, 4), beta: values(WIDE, 5) }
}

fn add_steps(p: &mut Pipeline) -> Result<(), Error> {
    let w = weights();
    p.matmul_ex(&w.w1, WIDE, &Matmul::new().bias(&w.b1))?.gelu()?.layernorm(&w.gamma, &w.beta, 1e-6)?.scale(0.5)?;
    p.matmul_ex(&w.w2, OUT, &Matmul::new().transpose_b())?.silu()?.tanh()?.softmax()?;
    Ok(())
}

fn by_hand(r: &Runtime, x: &[f32]) -> Vec<f32> {
    let (w, rows) = (weights(), x.len() / IN);
    let (mut h, mut g, mut y) = (vec![0.0; rows * WIDE], vec![0.0; rows * WIDE], vec![0.0; rows * OUT]);
    r.matmul_ex(x, &w.w1, &mut h, (rows, WIDE, IN), &Matmul::new().bias(&w.b1)).unwrap();
    r.gelu_in_place(&mut h).unwrap();
    r.layernorm(&h, &w.gamma, &w.beta, &mut g, (rows, WIDE), 1e-6).unwrap();
    r.scale(&g, 0.5, &mut h).unwrap();
    r.matmul_ex(&h, &w.w2, &mut y, (rows, OUT, WIDE), &Matmul::new().transpose_b()).unwrap();
    r.silu_in_place(&mut y).unwrap();
    r.tanh_in_place(&mut y).unwrap();
    r.softmax_in_place(&mut y, (rows, OUT)).unwrap();
    y
}

#[test]
fn the_bits_are_those_of_the_steps() {
    let reference = runtime("ref");
    for backend in ["cpu", "ref", "auto:ref,random=5"] {
        let together = runtime(backend).pipeline(IN).unwrap(); // which keeps the runtime
        let separate = Pipeline::separate(&runtime(backend), IN).unwrap();
        for mut p in [together, separate] {
            add_steps(&mut p).unwrap();
            assert_eq!(p.columns(), OUT);
            for rows in [7, 40, 1] {
                let x = values(rows * IN, rows as u32);
                let mut y = vec![0.0; rows * OUT];
                p.run(&x, &mut y).unwrap();
                assert_eq!(bits(&y), bits(&by_hand(&reference, &x)), "{backend}");
            }
        }
    }
}

#[test]
fn every_operation_on_each_number() {
    type Step = fn(&mut Pipeline) -> adead::Result<&mut Pipeline>;
    type Map = fn(&Runtime, &[f32], &mut [f32]) -> adead::Result<()>;
    let table: [(Step, Map); 11] = [
        (Pipeline::relu, Runtime::relu),
        (Pipeline::sigmoid, Runtime::sigmoid),
        (Pipeline::tanh, Runtime::tanh),
        (Pipeline::gelu, Runtime::gelu),
        (Pipeline::gelu_tanh, Runtime::gelu_tanh),
        (Pipeline::silu, Runtime::silu),
        (Pipeline::exp, Runtime::exp),
        (Pipeline::log, Runtime::log),
        (Pipeline::sin, Runtime::sin),
        (Pipeline::cos, Runtime::cos),
        (Pipeline::erf, Runtime::erf),
    ];
    let (r, x) = (runtime("cpu"), values(6 * IN, 6));
    for (step, map) in table {
        let (mut y, mut z) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        step(&mut r.pipeline(IN).unwrap()).unwrap().run(&x, &mut y).unwrap();
        map(&r, &x, &mut z).unwrap();
        assert_eq!(bits(&y), bits(&z));
    }
}

#[test]
fn what_cannot_be_added_leaves_it_as_it_was() {
    let (r, w) = (runtime("cpu"), weights());
    let mut p = r.pipeline(IN).unwrap();
    p.matmul(&w.w1, WIDE).unwrap();
    let (x, none) = (values(2 * IN, 7), Matmul::new());
    let mut expected = vec![0.0; 2 * WIDE];
    p.run(&x, &mut expected).unwrap();
    let mut refused = |code: Code, step: &dyn Fn(&mut Pipeline) -> adead::Result<()>| {
        let error = step(&mut p).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        let mut y = vec![0.0; 2 * WIDE];
        p.run(&x, &mut y).unwrap();
        assert_eq!((p.columns(), bits(&y)), (WIDE, bits(&expected)), "after {error}");
    };
    refused(Code::SHAPE_MISMATCH, &|p| p.matmul(&w.w1, WIDE).map(drop));
    refused(Code::SHAPE_MISMATCH, &|p| p.matmul(&w.w2, usize::MAX).map(drop));
    refused(Code::INVALID_ARGUMENT, &|p| p.matmul(&[], 0).map(drop));
    refused(Code::SHAPE_MISMATCH, &|p| p.matmul_ex(&w.w2, OUT, &none.bias(&w.b1)).map(drop));
    refused(Code::INVALID_ARGUMENT, &|p| p.matmul_ex(&w.w2, OUT, &none.transpose_a()).map(drop));
    refused(Code::INVALID_ARGUMENT, &|p| p.matmul_ex(&w.w2, OUT, &none.batch(2)).map(drop));
    refused(Code::INVALID_ARGUMENT, &|p| p.matmul_ex(&w.w2, OUT, &none.activation(Activation::Relu)).map(drop));
    refused(Code::SHAPE_MISMATCH, &|p| p.layernorm(&w.gamma, &w.w2, 0.0).map(drop));
    refused(Code::SHAPE_MISMATCH, &|p| p.layernorm(&[], &w.beta, 0.0).map(drop));
    refused(Code::SHAPE_MISMATCH, &|p| p.run(&values(IN + 1, 1), &mut [0.0; WIDE]));
    refused(Code::SHAPE_MISMATCH, &|p| p.run(&values(IN, 1), &mut [0.0; WIDE + 1]));
    refused(Code::SHAPE_MISMATCH, &|p| p.run(&[], &mut [0.0; WIDE]));
    p.run(&[], &mut []).unwrap();
    for columns in [0, usize::MAX] {
        assert_eq!(r.pipeline(columns).unwrap_err().code(), Code::INVALID_ARGUMENT);
    }
}

#[test]
fn at_most_1024_steps() {
    let mut p = runtime("ref").pipeline(1).unwrap();
    for _ in 0..1024 {
        p.sin().unwrap();
    }
    assert_eq!(p.sin().unwrap_err().code(), Code::TOO_LARGE);
    let mut y = [2.0];
    p.run(&[0.0], &mut y).unwrap();
    assert_eq!(y, [0.0]);
}

#[test]
fn another_thread_may_have_it() {
    let mut p = runtime("cpu").pipeline(IN).unwrap();
    add_steps(&mut p).unwrap();
    let x = values(3 * IN, 8);
    let thread = std::thread::spawn(move || {
        let mut y = vec![0.0; 3 * OUT];
        p.run(&x, &mut y).map(|_| bits(&y))
    });
    assert_eq!(thread.join().unwrap().unwrap(), bits(&by_hand(&runtime("ref"), &values(3 * IN, 8))));
}

#[test]
fn memory_that_runs_out_anywhere() {
    let (mut failed, mut limit) = (0, 0);
    loop {
        let meter = Meter::new(limit);
        let result = (|| {
            let mut p = Runtime::builder().backend("cpu").threads(1).meter(&meter).build()?.pipeline(IN)?;
            add_steps(&mut p)?;
            p.run(&values(IN, 1), &mut [0.0; OUT])?;
            p.run(&values(9 * IN, 1), &mut [0.0; 9 * OUT])
        })();
        assert_eq!(meter.bytes(), 0, "memory stays behind at the limit {limit}");
        match result {
            Ok(()) => break,
            Err(error) => assert_eq!(error.code(), Code::NO_MEMORY, "{error}"),
        }
        failed += 1;
        limit += 97 + limit / 64;
    }
    assert!(failed > 20);
}
