/* Operations on arrays: the general call, and matrix products of the usual kind by the shortest way.
 *
 * matmul does nothing that the function in adead/_operations.py does not; what is not two plain f32 matrices, and everything
 * that is wrong, is left to that one.
 */
#include "native.h"

static handle *default_runtime;

/* Giving up the GIL and taking it back costs more than this many multiplications. */
enum { SMALL_WORK = 1 << 15 };

PyObject *operations_set_default(PyObject *module, PyObject *runtime)
{
    (void)module;
    if (runtime != Py_None && !PyObject_TypeCheck(runtime, handle_type)) {
        PyErr_SetString(PyExc_TypeError, "set_default: a Runtime or None is expected");
        return NULL;
    }
    handle *old = default_runtime;
    default_runtime = runtime == Py_None ? NULL : (handle *)Py_NewRef(runtime);
    Py_XDECREF((PyObject *)old);
    Py_RETURN_NONE;
}

/* A new reference to the runtime of a call: the object whose method was called, or the default one. */
static handle *runtime_of(PyObject *self)
{
    if (self && self != Py_None && PyObject_TypeCheck(self, handle_type)) return (handle *)Py_NewRef(self);
    if (!default_runtime) {
        PyObject *made = PyObject_CallNoArgs(hook_runtime); /* calls set_default */
        Py_XDECREF(made);
        if (!made) return NULL;
    }
    return (handle *)Py_XNewRef((PyObject *)default_runtime);
}

static int execute(handle *runtime, const adead_operation *operation, uint64_t work)
{
    int status;
    if (work <= SMALL_WORK) return adead_compute(runtime->pointer, operation);
    Py_BEGIN_ALLOW_THREADS
    status = adead_compute(runtime->pointer, operation);
    Py_END_ALLOW_THREADS
    return status;
}

/* ---- The general call ---- */

static bool fill_dims(PyObject *dims, adead_operation *o)
{
    Py_ssize_t count = PyTuple_Size(dims);
    if (count < 0 || count > ADEAD_OPERATION_DIMS) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "compute: up to ten dims are expected");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        o->dims[i] = PyLong_AsUnsignedLongLong(PyTuple_GetItem(dims, i));
        if (PyErr_Occurred()) return false;
    }
    return true;
}

static bool fill_arrays(PyObject *arrays, adead_operation *o)
{
    Py_ssize_t count = PyTuple_Size(arrays);
    if (count < 0 || count > ADEAD_OPERATION_ARRAYS) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "compute: up to six tensors are expected");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *one = PyTuple_GetItem(arrays, i);
        if (one == Py_None) continue; /* a bias that is not there */
        if (!PyObject_TypeCheck(one, tensor_type)) {
            PyErr_SetString(PyExc_TypeError, "compute: tensors are expected");
            return false;
        }
        const view *v = &((tensor *)one)->v;
        for (int d = 0; d < v->rank; d++) {
            if (v->strides[d] >= 0 || v->dims[d] <= 1) continue;
            PyErr_SetString(PyExc_ValueError, "compute: a stride is negative");
            return false;
        }
        if (i == count - 1 && v->readonly) {
            PyErr_SetString(PyExc_ValueError, "compute: the result is read-only");
            return false;
        }
        o->arrays[i].data = v->data;
        o->arrays[i].bytes = (uint64_t)view_span(v);
    }
    return true;
}

PyObject *operations_compute(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject       *runtime, *dims, *arrays;
    double          scalar;
    adead_operation o;
    memset(&o, 0, sizeof o);
    o.size = sizeof o;
    if (!PyArg_ParseTuple(args, "OIIIdO!O!", &runtime, &o.opcode, &o.flags, &o.activation, &scalar, &PyTuple_Type, &dims,
                          &PyTuple_Type, &arrays))
        return NULL;
    o.scalar = (float)scalar;
    if (!fill_dims(dims, &o) || !fill_arrays(arrays, &o)) return NULL;
    handle *h = runtime_of(runtime);
    if (!h) return NULL;
    int status = -1;
    if (handle_enter(h)) {
        status = execute(h, &o, UINT64_MAX);
        if (status != ADEAD_OK) raise_last_error();
        handle_leave(h);
    }
    Py_DECREF((PyObject *)h);
    if (status != ADEAD_OK) return NULL;
    Py_RETURN_NONE;
}

/* ---- matmul ---- */

/* Calls the function in Python: (runtime or None, *args, **keywords). */
static PyObject *general_matmul(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    bool      method = self && PyObject_TypeCheck(self, handle_type);
    PyObject *keywords = NULL, *result = NULL, *tuple = PyTuple_New(count + 1);
    if (!tuple) return NULL;
    PyTuple_SetItem(tuple, 0, Py_NewRef(method ? self : Py_None));
    for (Py_ssize_t i = 0; i < count; i++) PyTuple_SetItem(tuple, i + 1, Py_NewRef(args[i]));
    if (names) {
        keywords = PyDict_New();
        for (Py_ssize_t i = 0; keywords && i < PyTuple_Size(names); i++)
            if (PyDict_SetItem(keywords, PyTuple_GetItem(names, i), args[count + i]) < 0) Py_CLEAR(keywords);
        if (!keywords) goto done;
    }
    result = PyObject_Call(hook_matmul, tuple, keywords);
done:
    Py_XDECREF(keywords);
    Py_DECREF(tuple);
    return result;
}

/* Whether the only keyword, if any, is `out`. */
static bool only_out(PyObject *names)
{
    return !names || (PyTuple_Size(names) == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GetItem(names, 0), "out") == 0);
}

static bool plain(const view *v)
{
    return v->dtype == ADEAD_F32 && v->rank == 2 && view_contiguous(v);
}

/* The product of two plain matrices. NULL without an exception when the general function has to decide. */
static PyObject *plain_matmul(handle *h, const view *a, const view *b, PyObject *out, view *c)
{
    uint64_t m = (uint64_t)a->dims[0], k = (uint64_t)a->dims[1], n = (uint64_t)b->dims[1];
    if (a->dims[1] != b->dims[0] || m >> 31 || n >> 31 || k >> 31) return NULL;
    if (out) {
        if (!view_get(out, c)) {
            PyErr_Clear();
            return NULL;
        }
        if (!plain(c) || c->readonly || c->dims[0] != a->dims[0] || c->dims[1] != b->dims[1]) return NULL;
        Py_INCREF(out);
    } else {
        out = a->numpy || b->numpy ? numpy_empty_f32(a->dims[0], b->dims[1]) : tensor_new_f32(a->dims[0], b->dims[1]);
        if (!out || !view_get(out, c)) {
            Py_XDECREF(out);
            return NULL;
        }
    }
    adead_operation o;
    memset(&o, 0, sizeof o);
    o.size = sizeof o;
    o.opcode = ADEAD_COMPUTE_MATMUL;
    o.dims[0] = m;
    o.dims[1] = n;
    o.dims[2] = k;
    o.arrays[0] = (adead_array){a->data, m * k * 4};
    o.arrays[1] = (adead_array){b->data, k * n * 4};
    o.arrays[2] = (adead_array){c->data, m * n * 4};
    uint64_t rows = m * n; /* below 2^62 */
    if (execute(h, &o, k && rows > UINT64_MAX / k ? UINT64_MAX : rows * k) == ADEAD_OK) return out;
    raise_last_error();
    Py_DECREF(out);
    return NULL;
}

PyObject *operations_matmul(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    view      a, b, c;
    PyObject *result = NULL;
    if (count != 2 || !only_out(names)) return general_matmul(self, args, count, names);
    PyObject *out = names && args[2] != Py_None ? args[2] : NULL;
    a.held = b.held = c.held = false;
    if (view_get(args[0], &a) && plain(&a) && view_get(args[1], &b) && plain(&b)) {
        handle *h = runtime_of(self);
        if (h && handle_enter(h)) {
            result = plain_matmul(h, &a, &b, out, &c);
            handle_leave(h);
        }
        Py_XDECREF((PyObject *)h);
        view_drop(&c);
        if (!result && PyErr_Occurred()) goto done;
    } else {
        PyErr_Clear();
    }
    if (!result) result = general_matmul(self, args, count, names);
done:
    view_drop(&a);
    view_drop(&b);
    return result;
}
