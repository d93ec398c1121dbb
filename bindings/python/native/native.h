/* What the C files of the Python module adead._fast share: views of arrays, handles of the library, and errors.
 *
 * Only the stable ABI of CPython 3.11 and the public header of adead are used. Everything here runs with the GIL held; it is
 * given up around adead_compute when there is work worth it.
 */
#ifndef ADEAD_PYTHON_NATIVE_H
#define ADEAD_PYTHON_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "ffi/include/adead.h"

#include <stdbool.h>
#include <string.h>

enum { NO_DTYPE = -1, DTYPES = 8 };

/* An array somebody else holds. Strides are in bytes. */
typedef struct view {
    char      *data;
    int        dtype; /* ADEAD_F32 ..., or NO_DTYPE */
    int        rank;
    bool       readonly, numpy, held;
    Py_ssize_t dims[ADEAD_RANK_MAX], strides[ADEAD_RANK_MAX];
    Py_buffer  buffer; /* to be released when `held` */
} view;

/* Looks at a numpy array, a Tensor or anything with the buffer protocol. An exception is set when false. The view is valid
 * while the caller keeps `object`; view_drop ends it. */
bool view_get(PyObject *object, view *out);
void view_drop(view *v);
bool view_contiguous(const view *v);
/* Bytes from the first to the end of the last element; strides are not negative. */
Py_ssize_t view_span(const view *v);

/* Calls the function that Python registered for making an exception, and raises what it returns; NULL. */
PyObject *raise_status(int code, const char *message, const char *hint);
/* The same with adead_last_error(). */
PyObject *raise_last_error(void);

/* ---- numpy.c ---- */

/* numpy.ndarray once numpy is loaded, else NULL. */
extern PyTypeObject *numpy_type;
/* Fills the view of an exact numpy array of a known type; false (without exception) when it is something else. */
bool numpy_view(PyObject *object, view *out);
/* If the process has imported numpy and this module does not know yet, takes note of it. */
void numpy_look(void);
/* numpy.empty of f32. */
PyObject *numpy_empty_f32(Py_ssize_t rows, Py_ssize_t cols);
PyObject *numpy_register(PyObject *module, PyObject *args);
PyObject *numpy_probe(PyObject *module, PyObject *array);

/* ---- tensor.c ---- */

typedef struct tensor {
    PyObject_HEAD
    view      v;      /* v.buffer holds what it was made from, if that has the buffer protocol */
    PyObject *owner;  /* or this is kept alive */
    void     *memory; /* or this is the tensor's own */
    void     *foreign, (*foreign_delete)(void *); /* or a DLPack structure to be given back */
} tensor;

extern PyTypeObject *tensor_type;
bool                 tensor_make_type(PyObject *module);
/* A zeroed f32 tensor of two dimensions, of the class registered by Python. */
PyObject *tensor_new_f32(Py_ssize_t rows, Py_ssize_t cols);
/* Functions of the module. */
PyObject *tensor_empty(PyObject *module, PyObject *args);
PyObject *tensor_from_buffer(PyObject *module, PyObject *args);
PyObject *tensor_from_pointer(PyObject *module, PyObject *args);
PyObject *tensor_from_dlpack(PyObject *module, PyObject *args);
PyObject *tensor_to_dlpack(PyObject *module, PyObject *args);
/* The class of the tensors that tensor_new_f32 makes. */
extern PyObject *tensor_class;
/* Reads a tuple of dimensions. */
bool tensor_dims(PyObject *tuple, view *out);

/* ---- handle.c ---- */

/* A runtime, program, instance or pipeline of the library. Closing it while other threads use it takes effect when the
 * last one is done. */
typedef struct handle {
    PyObject_HEAD
    void      *pointer;
    int        kind;   /* 0 runtime, 1 program, 2 instance, 3 pipeline */
    Py_ssize_t users;  /* calls in progress */
    Py_ssize_t leases; /* tensors and views that lie in its memory */
    bool       closed;
    /* Of the run in progress (foreign.c): the exception of a foreign function; that which says the program has ended. */
    PyObject *raised, *ended;
} handle;

extern PyTypeObject *handle_type;
bool                 handle_make_type(PyObject *module);
/* Counts a user; false with an exception when it is closed. */
bool handle_enter(handle *h);
void handle_leave(handle *h);
/* One lease less. */
void handle_give_back(handle *h);

/* ---- foreign.c ---- */

bool foreign_make_types(PyObject *module);
/* Methods of handles, of instances to be precise. _set_foreign(name, function or None, types) gives what has to be kept for
 * as long as the name has this function. _take_raised() gives the exception that ended the run, or None. */
PyObject *handle_set_foreign(PyObject *self, PyObject *args);
PyObject *handle_take_raised(PyObject *self, PyObject *none);

/* ---- record.c ---- */

bool record_make_type(PyObject *module);
PyObject *log_new(PyObject *module, PyObject *write);
/* Method of instances: _record(Log or None). The caller keeps the log. */
PyObject *handle_record(PyObject *self, PyObject *log);

/* ---- operations.c ---- */

PyObject *operations_matmul(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *operations_compute(PyObject *module, PyObject *args);
PyObject *operations_set_default(PyObject *module, PyObject *runtime);
/* Python's functions: make an error; matmul in general; make the default runtime. */
extern PyObject *hook_error, *hook_matmul, *hook_runtime, *hook_numpy;

#endif
