/* The module adead._fast: what has to be quick or needs a C type. Everything else is adead._adead, which cffi makes. */
#include "native.h"

PyObject *hook_error, *hook_matmul, *hook_runtime, *hook_numpy;

static PyObject *set_hooks(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *error, *matmul, *runtime, *numpy, *class;
    if (!PyArg_ParseTuple(args, "OOOOO", &error, &matmul, &runtime, &numpy, &class)) return NULL;
    PyObject **to[] = {&hook_error, &hook_matmul, &hook_runtime, &hook_numpy, &tensor_class};
    PyObject  *from[] = {error, matmul, runtime, numpy, class};
    for (int i = 0; i < 5; i++) {
        Py_INCREF(from[i]);
        Py_XDECREF(*to[i]);
        *to[i] = from[i];
    }
    Py_RETURN_NONE;
}

static PyObject *raise_made(int code, uint64_t offset, uint32_t line, uint32_t column, const char *message, const char *hint)
{
    PyObject *at = offset == ADEAD_NO_OFFSET ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(offset);
    if (!at) return NULL;
    if (!hook_error) {
        PyErr_SetString(PyExc_SystemError, "adead._fast was used before adead was imported");
        Py_DECREF(at);
        return NULL;
    }
    PyObject *error = PyObject_CallFunction(hook_error, "iNIIss", code, at, (unsigned)line, (unsigned)column, message, hint);
    if (!error) return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return NULL;
}

PyObject *raise_status(int code, const char *message, const char *hint)
{
    return raise_made(code, ADEAD_NO_OFFSET, 0, 0, message, hint);
}

PyObject *raise_last_error(void)
{
    const adead_error *e = adead_last_error();
    return raise_made(e->code, e->offset, e->line, e->column, e->message, e->hint);
}

static const char matmul_doc[] =
    "matmul(a, b, *, out=None, transpose_a=False, transpose_b=False, bias=None, activation=None)\n--\n\n"
    "c[m, n] = activation(a[m, k] b[k, n] + bias[n]), f32.\n\n"
    "With transpose_a, a is given as [k, m]; with transpose_b, b as [n, k]. One more dimension in front makes a batch:\n"
    "[batch, m, k] times [batch, k, n], or times one [k, n] for all. The rows of a, b and out may lie apart and a, b may\n"
    "be transposed views; nothing is copied. The result is `out`, else a numpy array if a or b is one, else a Tensor.";

static PyMethodDef functions[] = {
    {"matmul", (PyCFunction)(void (*)(void))operations_matmul, METH_FASTCALL | METH_KEYWORDS, matmul_doc},
    {"compute", operations_compute, METH_VARARGS, "compute(runtime, opcode, flags, activation, scalar, dims, tensors)"},
    {"set_default", operations_set_default, METH_O, "set_default(runtime): what matmul uses when called as a function"},
    {"set_hooks", set_hooks, METH_VARARGS, "set_hooks(error, matmul, runtime, numpy, tensor_class)"},
    {"numpy_register", numpy_register, METH_VARARGS, "numpy_register(ndarray, empty, dtypes)"},
    {"numpy_probe", numpy_probe, METH_O, "numpy_probe(array): address, dims, strides, flags as this module sees them"},
    {"empty", tensor_empty, METH_VARARGS, "empty(class, shape, dtype)"},
    {"from_buffer", tensor_from_buffer, METH_VARARGS, "from_buffer(class, object, dtype, shape)"},
    {"from_pointer", tensor_from_pointer, METH_VARARGS,
     "from_pointer(class, address, dtype, shape, strides, readonly, owner)"},
    {"from_dlpack", tensor_from_dlpack, METH_VARARGS, "from_dlpack(class, capsule)"},
    {"log_new", log_new, METH_O, "log_new(write): collects a log, and calls write(bytes) from time to time"},
    {"to_dlpack", tensor_to_dlpack, METH_VARARGS, "to_dlpack(tensor, versioned, copied)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "adead._fast", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit__fast(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && tensor_make_type(module) && handle_make_type(module) && foreign_make_types(module) &&
        record_make_type(module))
        return module;
    Py_XDECREF(module);
    return NULL;
}
