/* Exact numpy arrays, read without asking numpy: the buffer protocol costs 100 ns an array, this 3.
 *
 * The head of an array is part of numpy's C ABI (its own macros read it inline), unchanged since 1.7. Python still compares
 * what is read here with what numpy says of one array (adead/_numpy.py) before numpy_register is called; where that differs,
 * arrays go through the buffer protocol.
 */
#include "native.h"

typedef struct numpy_array {
    PyObject_HEAD
    char       *data;
    int         rank;
    Py_ssize_t *dims, *strides;
    PyObject   *base, *dtype;
    int         flags;
} numpy_array;
enum { NUMPY_WRITEABLE = 0x0400 };

PyTypeObject    *numpy_type;
static PyObject *numpy_empty, *dtypes[DTYPES];
static PyObject *numpy_name;
static bool      looked;

void numpy_look(void)
{
    if (looked || !hook_numpy) return;
    if (!numpy_name && !(numpy_name = PyUnicode_InternFromString("numpy"))) goto done;
    PyObject *module = PyImport_GetModule(numpy_name);
    if (!module) goto done;
    looked = true;
    Py_DECREF(module);
    PyObject *answer = PyObject_CallNoArgs(hook_numpy);
    if (answer == Py_False) looked = false; /* numpy is still being imported */
    Py_XDECREF(answer);
done:
    PyErr_Clear();
}

PyObject *numpy_register(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *type, *empty, *list;
    if (!PyArg_ParseTuple(args, "OOO!", &type, &empty, &PyTuple_Type, &list)) return NULL;
    if (PyTuple_Size(list) != DTYPES || !PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "numpy_register: eight types are expected");
        return NULL;
    }
    for (int i = 0; i < DTYPES; i++) {
        PyObject *one = PyTuple_GetItem(list, i);
        Py_XDECREF(dtypes[i]);
        dtypes[i] = one == Py_None ? NULL : Py_NewRef(one);
    }
    Py_XDECREF(numpy_empty);
    numpy_empty = Py_NewRef(empty);
    numpy_type = (PyTypeObject *)Py_NewRef(type);
    Py_RETURN_NONE;
}

PyObject *numpy_probe(PyObject *module, PyObject *array)
{
    (void)module;
    const numpy_array *a = (const numpy_array *)array;
    if (a->rank != 2) return PyErr_Format(PyExc_ValueError, "numpy_probe: the layout differs");
    return Py_BuildValue("K(nn)(nn)Oi", (unsigned long long)(uintptr_t)a->data, a->dims[0], a->dims[1], a->strides[0],
                         a->strides[1], a->dtype, a->flags);
}

bool numpy_view(PyObject *object, view *out)
{
    const numpy_array *a = (const numpy_array *)object;
    if (Py_TYPE(object) != numpy_type || a->rank > ADEAD_RANK_MAX) return false;
    int dtype = 0;
    while (dtype < DTYPES && dtypes[dtype] != a->dtype) dtype++;
    if (dtype == DTYPES) return false;
    out->data = a->data;
    out->dtype = dtype;
    out->rank = a->rank;
    out->readonly = !(a->flags & NUMPY_WRITEABLE);
    out->numpy = true;
    out->held = false;
    for (int i = 0; i < a->rank; i++) {
        out->dims[i] = a->dims[i];
        out->strides[i] = a->strides[i];
    }
    return true;
}

PyObject *numpy_empty_f32(Py_ssize_t rows, Py_ssize_t cols)
{
    PyObject *shape = PyTuple_New(2), *r = PyLong_FromSsize_t(rows), *c = PyLong_FromSsize_t(cols);
    if (!shape || !r || !c) {
        Py_XDECREF(shape);
        Py_XDECREF(r);
        Py_XDECREF(c);
        return NULL;
    }
    PyTuple_SetItem(shape, 0, r);
    PyTuple_SetItem(shape, 1, c);
    PyObject *array = PyObject_CallFunctionObjArgs(numpy_empty, shape, dtypes[ADEAD_F32], NULL);
    Py_DECREF(shape);
    return array;
}
