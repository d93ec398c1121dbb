//! Every operation: known values where they are exact, and the bits of the reference on every backend of this machine.

use adead::{opcode, sha256, Activation, Bf16, Mask, Matmul, Operation, Runtime, F16};

/// Small multiples of 1/8, the same everywhere.
fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2654435761) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as f32 / 8.0 - 16.0
        })
        .collect()
}

fn small(count: usize, seed: u32) -> Vec<i8> {
    values(count, seed).iter().map(|v| (v * 7.0) as i8).collect()
}

fn runtimes() -> Vec<Runtime> {
    let mut all = Vec::new();
    // `auto` without a choice is `cpu` once more.
    for backend in adead::backends().unwrap().iter().filter(|b| b.available && b.device != "the processor alone") {
        for threads in [1, 3] {
            all.push(Runtime::builder().backend(&backend.name).threads(threads).build().unwrap());
        }
    }
    assert!(all.len() >= 4, "ref and cpu are always there");
    all
}

/// Runs `operation` everywhere; the digests must agree, and what comes back is of the first runtime (the reference).
fn everywhere<T: adead::Element>(count: usize, operation: impl Fn(&Runtime, &mut [T])) -> Vec<T> {
    let mut first: Option<Vec<T>> = None;
    for runtime in runtimes() {
        let mut result = vec![T::default(); count];
        operation(&runtime, &mut result);
        let expected = first.get_or_insert_with(|| result.clone());
        assert_eq!(sha256(&result), sha256(expected), "{}", runtime.backend().unwrap().name);
    }
    first.unwrap()
}

fn product(a: &[f32], b: &[f32], (m, n, k): (usize, usize, usize)) -> Vec<f32> {
    // The values are small multiples of 1/8: every sum is exact, in any order.
    let at = |i: usize, j: usize| (0..k).map(|p| a[i * k + p] * b[p * n + j]).sum();
    (0..m * n).map(|c| at(c / n, c % n)).collect()
}

fn transposed<T: Copy>(x: &[T], rows: usize, cols: usize) -> Vec<T> {
    (0..rows * cols).map(|i| x[i % rows * cols + i / rows]).collect()
}

const SHAPE: (usize, usize, usize) = (5, 7, 11);

#[test]
fn matmul() {
    let (a, b) = (values(55, 1), values(77, 2));
    assert_eq!(everywhere(35, |r, c| r.matmul(&a, &b, c, SHAPE).unwrap()), product(&a, &b, SHAPE));
}

#[test]
fn matmul_ex_with_transposes_bias_and_activation() {
    let (a, b, bias) = (values(55, 1), values(77, 2), values(7, 3));
    let mut expected = product(&a, &b, SHAPE);
    expected.iter_mut().enumerate().for_each(|(i, c)| *c = (*c + bias[i % 7]).max(0.0));
    let (at, bt) = (transposed(&a, 5, 11), transposed(&b, 11, 7));
    let options = Matmul::new().bias(&bias).activation(Activation::Relu);
    assert_eq!(everywhere(35, |r, c| r.matmul_ex(&a, &b, c, SHAPE, &options).unwrap()), expected);
    let options = options.transpose_a().transpose_b();
    assert_eq!(everywhere(35, |r, c| r.matmul_ex(&at, &bt, c, SHAPE, &options).unwrap()), expected);
}

#[test]
fn matmul_strided_leaves_the_gaps_alone() {
    let (a, b) = (values(2 * 60, 1), values(77, 2));
    // Rows of a are 12 apart, of c 8; both matrices of the batch use the same b.
    let options = Matmul::new().batch(2).leading(12, 7, 8).strides(60, 0, 40);
    let c = everywhere(80, |r, c| {
        c.fill(-1.0);
        r.matmul_strided(&a, &b, c, SHAPE, &options).unwrap();
    });
    for batch in 0..2 {
        let dense: Vec<f32> = (0..55).map(|i| a[batch * 60 + i / 11 * 12 + i % 11]).collect();
        let expected = product(&dense, &b, SHAPE);
        for row in 0..5 {
            let at = batch * 40 + row * 8;
            assert_eq!(c[at..at + 7], expected[row * 7..row * 7 + 7]);
            assert_eq!(c[at + 7], -1.0);
        }
    }
}

#[test]
fn matmul_strided_is_dense_by_default() {
    let (a, b) = (values(55, 1), values(77, 2));
    let bt = transposed(&b, 11, 7);
    let twice = |x: &[f32]| [x, x].concat();
    let options = Matmul::new().batch(2).transpose_b();
    let c = everywhere(70, |r, c| r.matmul_strided(&twice(&a), &twice(&bt), c, SHAPE, &options).unwrap());
    assert_eq!(c, twice(&product(&a, &b, SHAPE)));
}

#[test]
fn matmul_i8() {
    let (a, b) = (small(55, 1), small(77, 2));
    let wide = |x: &[i8]| x.iter().map(|&v| v as f32).collect::<Vec<_>>();
    let expected: Vec<i32> = product(&wide(&a), &wide(&b), SHAPE).iter().map(|&v| v as i32).collect();
    assert_eq!(everywhere(35, |r, c| r.matmul_i8(&a, &b, c, SHAPE).unwrap()), expected);
    let bt = transposed(&b, 11, 7);
    let options = Matmul::new().transpose_b();
    assert_eq!(everywhere(35, |r, c| r.matmul_i8_ex(&a, &bt, c, SHAPE, &options).unwrap()), expected);
}

#[test]
fn matmul_of_16_bits() {
    let (a, b) = (values(55, 1), values(77, 2));
    let expected = product(&a, &b, SHAPE);
    let half = |x: &[f32]| x.iter().map(|&v| F16::from_f32(v)).collect::<Vec<_>>();
    let none = Matmul::new();
    let c = everywhere(35, |r, c| r.matmul_f16(&half(&a), &half(&b), c, SHAPE, &none).unwrap());
    assert_eq!(c, half(&expected));
    let brain = |x: &[f32]| x.iter().map(|&v| Bf16::from_f32(v)).collect::<Vec<_>>();
    let at = transposed(&brain(&a), 5, 11);
    let c = everywhere(35, |r, c| r.matmul_bf16(&at, &brain(&b), c, SHAPE, &none.transpose_a()).unwrap());
    assert_eq!(c, brain(&expected));
}

#[test]
fn conversions_are_those_of_the_library() {
    let runtime = Runtime::new().unwrap();
    let all: Vec<u16> = (0..=u16::MAX).collect();
    let (half, brain): (Vec<F16>, Vec<Bf16>) = all.iter().map(|&bits| (F16(bits), Bf16(bits))).unzip();
    let mut wide = vec![0.0; all.len()];
    runtime.widen_f16(&half, &mut wide).unwrap();
    assert!(half.iter().zip(&wide).all(|(h, w)| h.to_f32().to_bits() == w.to_bits()));
    runtime.widen_bf16(&brain, &mut wide).unwrap();
    assert!(brain.iter().zip(&wide).all(|(b, w)| b.to_f32().to_bits() == w.to_bits()));

    // Every exponent, with fractions around every tie.
    let hard: Vec<f32> =
        (0..1u32 << 20).flat_map(|i| [i << 12, (i << 12) + 1, (i << 12) | 0xFFF].map(f32::from_bits)).collect();
    let (mut half, mut brain) = (vec![F16(0); hard.len()], vec![Bf16(0); hard.len()]);
    runtime.narrow_f16(&hard, &mut half).unwrap();
    runtime.narrow_bf16(&hard, &mut brain).unwrap();
    for (i, &x) in hard.iter().enumerate() {
        assert_eq!(F16::from_f32(x).0, half[i].0, "{x:?} = {:08X}", x.to_bits());
        assert_eq!(Bf16::from_f32(x).0, brain[i].0, "{x:?} = {:08X}", x.to_bits());
    }
}

#[test]
fn rows() {
    let x = values(6 * 9, 4);
    let y = everywhere(54, |r, y| r.softmax(&x, y, (6, 9)).unwrap());
    assert!(y.chunks(9).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
    let in_place = everywhere(54, |r, y| {
        y.copy_from_slice(&x);
        r.softmax_in_place(y, (6, 9)).unwrap();
    });
    assert_eq!(y, in_place);

    let (gamma, beta) = (vec![1.0; 9], vec![0.5; 9]);
    let y = everywhere(54, |r, y| r.layernorm(&x, &gamma, &beta, y, (6, 9), 1e-5).unwrap());
    assert!(y.chunks(9).all(|row| (row.iter().sum::<f32>() - 4.5).abs() < 1e-4));

    let row = |i: usize| &x[i * 9..i * 9 + 9];
    let sums: Vec<f32> = (0..6).map(|i| row(i).iter().sum()).collect();
    assert_eq!(everywhere(6, |r, y| r.sum(&x, y, (6, 9)).unwrap()), sums);
    let maxima: Vec<f32> = (0..6).map(|i| row(i).iter().copied().fold(f32::MIN, f32::max)).collect();
    assert_eq!(everywhere(6, |r, y| r.max(&x, y, (6, 9)).unwrap()), maxima);
    let at: Vec<i32> = (0..6).map(|i| row(i).iter().position(|v| *v == maxima[i]).unwrap() as i32).collect();
    assert_eq!(everywhere(6, |r, y| r.argmax(&x, y, (6, 9)).unwrap()), at);
    assert_eq!(everywhere(54, |r, y| r.transpose(&x, y, (6, 9)).unwrap()), transposed(&x, 6, 9));
}

#[test]
fn attention() {
    let (q, k, v) = (values(5 * 8, 1), values(5 * 8, 2), values(5 * 8, 3));
    let plain = everywhere(40, |r, y| r.attention(&q, &k, &v, y, (5, 8)).unwrap());
    let one_head = everywhere(40, |r, y| r.multihead_attention(&q, &k, &v, y, (5, 8, 1), Mask::None).unwrap());
    assert_eq!(plain, one_head);
    let causal = everywhere(40, |r, y| r.multihead_attention(&q, &k, &v, y, (5, 8, 2), Mask::Causal).unwrap());
    assert_eq!(causal[..8], v[..8], "the first row sees itself only");
    assert_ne!(causal[8..], plain[8..]);
}

#[test]
fn embedding_and_ffn() {
    let table = values(4 * 3, 5);
    let rows = everywhere(6, |r, y| r.embedding(&table, &[3, 0], y, (2, 3, 4)).unwrap());
    assert_eq!(rows, [&table[9..], &table[..3]].concat());

    let (x, w1, b1) = (values(2 * 3, 1), values(3 * 4, 2), values(4, 3));
    let (w2, b2) = (values(4 * 3, 4), values(3, 5));
    let y = everywhere(6, |r, y| r.ffn(&x, &w1, &b1, &w2, &b2, y, (2, 3, 4), Activation::Relu).unwrap());
    let steps = everywhere(6, |r, y| {
        let mut hidden = vec![0.0; 8];
        let first = Matmul::new().bias(&b1).activation(Activation::Relu);
        r.matmul_ex(&x, &w1, &mut hidden, (2, 4, 3), &first).unwrap();
        r.matmul_ex(&hidden, &w2, y, (2, 3, 4), &Matmul::new().bias(&b2)).unwrap();
    });
    assert_eq!(y, steps, "a fused operation is its steps");
}

type One = fn(&Runtime, &[f32], &mut [f32]) -> adead::Result<()>;
type OneInPlace = fn(&Runtime, &mut [f32]) -> adead::Result<()>;
type Two = fn(&Runtime, &[f32], &[f32], &mut [f32]) -> adead::Result<()>;
type TwoInPlace = fn(&Runtime, &mut [f32], &[f32]) -> adead::Result<()>;

#[test]
fn elementwise_of_one_array() {
    let table: [(One, OneInPlace, f64, f64); 11] = [
        (Runtime::relu, Runtime::relu_in_place, 0.5, 0.5),
        (Runtime::sigmoid, Runtime::sigmoid_in_place, 0.5, 0.622459331),
        (Runtime::tanh, Runtime::tanh_in_place, 0.5, 0.462117157),
        (Runtime::gelu, Runtime::gelu_in_place, 0.5, 0.345731231),
        (Runtime::gelu_tanh, Runtime::gelu_tanh_in_place, 0.5, 0.345714010),
        (Runtime::silu, Runtime::silu_in_place, 0.5, 0.311229666),
        (Runtime::exp, Runtime::exp_in_place, 0.5, 1.648721271),
        (Runtime::log, Runtime::log_in_place, 0.25, -1.386294361),
        (Runtime::sin, Runtime::sin_in_place, 0.5, 0.479425539),
        (Runtime::cos, Runtime::cos_in_place, 0.5, 0.877582562),
        (Runtime::erf, Runtime::erf_in_place, 0.5, 0.520499878),
    ];
    let x: Vec<f32> = values(300, 7);
    for (operation, in_place, argument, value) in table {
        let mut y = [0.0];
        operation(&runtimes()[0], &[argument as f32], &mut y).unwrap();
        assert!((y[0] as f64 - value).abs() < 1e-6, "{} is not {value}: which function is it?", y[0]);
        let y = everywhere(300, |r, y| operation(r, &x, y).unwrap());
        let z = everywhere(300, |r, y| {
            y.copy_from_slice(&x);
            in_place(r, y).unwrap();
        });
        assert_eq!(sha256(&y), sha256(&z));
    }
}

#[test]
fn elementwise_of_two_arrays() {
    let table: [(Two, TwoInPlace, f32); 4] = [
        (Runtime::add, Runtime::add_in_place, 4.0),
        (Runtime::sub, Runtime::sub_in_place, 2.0),
        (Runtime::mul, Runtime::mul_in_place, 3.0),
        (Runtime::div, Runtime::div_in_place, 3.0),
    ];
    let (a, b) = (values(300, 8), values(300, 9));
    for (operation, in_place, of_3_and_1) in table {
        let mut c = [0.0];
        operation(&runtimes()[0], &[3.0], &[1.0], &mut c).unwrap();
        assert_eq!(c[0], of_3_and_1);
        let c = everywhere(300, |r, c| operation(r, &a, &b, c).unwrap());
        let d = everywhere(300, |r, c| {
            c.copy_from_slice(&a);
            in_place(r, c, &b).unwrap();
        });
        assert_eq!(sha256(&c), sha256(&d));
    }
    assert_eq!(everywhere(2, |r, y| r.scale(&[1.0, 2.0], 0.5, y).unwrap()), [0.5, 1.0]);
}

#[test]
fn quantised() {
    let x = [127.0, -63.5, 0.0, 0.0];
    let scale = everywhere(2, |r, s| r.quantize_scale(&x, s, (2, 2)).unwrap());
    assert_eq!(scale, [1.0, 0.0]);
    assert_eq!(everywhere(4, |r, q: &mut [i8]| r.quantize(&x, &scale, q, (2, 2)).unwrap()), [127, -64, 0, 0]);
    let options = Matmul::new().bias(&[0.5, -0.5]).activation(Activation::Relu);
    let y = everywhere(2, |r, y| r.dequantize(&[6, 7], &[0.5], &[1.0, 0.0], y, (1, 2), &options).unwrap());
    assert_eq!(y, [3.5, 0.0]);
}

#[test]
fn operations_by_number() {
    let runtime = Runtime::new().unwrap();
    let mut filled = [0u8; 4];
    Operation::new(opcode::TENSOR_FILL).dims(&[4]).output(&mut filled).scalar(7.0).run(&runtime).unwrap();
    assert_eq!(filled, [7; 4]);
    let mut c = [0.0f32];
    let (a, b) = ([2.0f32], [3.0f32]);
    let product = Operation::new(opcode::TENSOR_MATMUL_EX).dims(&[1, 1, 1]).input(&a).input(&b).absent();
    product.output(&mut c).activation(Activation::None).run(&runtime).unwrap();
    assert_eq!(c, [6.0]);
}

#[test]
fn the_seed_works() {
    use adead::{ADeadRuntime, Backend};
    let runtime = ADeadRuntime::new(Backend::Cpu).unwrap();
    assert_eq!(runtime.matmul(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0], 2, 2, 2).unwrap(), [19.0, 22.0, 43.0, 50.0]);
    assert_eq!(runtime.relu(&[-1.0, 2.0]).unwrap(), [0.0, 2.0]);
    assert_eq!(runtime.softmax(&[5.0, 5.0], 1, 2).unwrap(), [0.5, 0.5]);
    assert_eq!(runtime.runtime().backend().unwrap().name, "cpu");
}

#[test]
fn the_selftest_reports_and_a_panic_in_it_comes_through() {
    let runtime = Runtime::new().unwrap();
    let mut cases = 0;
    runtime
        .selftest(|name, count, mismatches| {
            assert!(!name.is_empty() && mismatches == 0);
            cases += count;
        })
        .unwrap();
    assert!(cases > 100);
    let panicking = std::panic::AssertUnwindSafe(|| runtime.selftest(|_, _, _| panic!("stop")));
    assert!(std::panic::catch_unwind(panicking).is_err());
}
