/* Logs of runs on their way to a Python file. The library writes an event in small pieces, without the GIL: they are
 * collected here, and Python is called with many at once.
 */
#include "native.h"

enum { ROOM = 1 << 16 };

static PyTypeObject *log_type;

typedef struct run_log {
    PyObject_HEAD
    PyObject *write;  /* called with bytes */
    PyObject *raised; /* its exception: nothing more of this run is written */
    size_t    used;
    bool      begun;
    char      bytes[ROOM];
} run_log;

/* With the GIL. False, and the exception is kept, when Python does not take it. */
static bool flush(run_log *l)
{
    if (l->raised || !l->used) return !l->raised;
    PyObject *answer = PyObject_CallFunction(l->write, "y#", l->bytes, (Py_ssize_t)l->used);
    l->used = 0;
    Py_XDECREF(answer);
    if (answer) return true;
    PyObject *type, *trace;
    PyErr_Fetch(&type, &l->raised, &trace);
    PyErr_NormalizeException(&type, &l->raised, &trace);
    if (trace) PyException_SetTraceback(l->raised, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return false;
}

static bool flush_from_run(run_log *l)
{
    PyGILState_STATE state = PyGILState_Ensure();
    bool             good = flush(l);
    PyGILState_Release(state);
    return good;
}

/* What the library calls. */
static int write_log(void *context, const void *data, size_t size)
{
    run_log *l = context;
    while (size) {
        size_t part = size < ROOM - l->used ? size : ROOM - l->used;
        memcpy(l->bytes + l->used, data, part);
        l->used += part;
        data = (const char *)data + part;
        size -= part;
        /* The first piece goes at once: a file that cannot be opened is known before anything was called. */
        if ((l->used == ROOM || !l->begun) && !flush_from_run(l)) return 1;
        l->begun = true;
    }
    return 0;
}

/* The run is over: what is left is written. The exception, if there was one, or None. */
static PyObject *log_end(PyObject *self, PyObject *none)
{
    (void)none;
    run_log *l = (run_log *)self;
    flush(l);
    l->begun = false;
    PyObject *raised = l->raised ? l->raised : Py_NewRef(Py_None);
    l->raised = NULL;
    return raised;
}

static int log_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((run_log *)self)->write);
    return 0;
}

static int log_clear(PyObject *self)
{
    Py_CLEAR(((run_log *)self)->write);
    return 0;
}

static void log_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(((run_log *)self)->write);
    Py_XDECREF(((run_log *)self)->raised);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef log_methods[] = {
    {"end", log_end, METH_NOARGS, "Writes what is left; gives the exception that ended the log, or None."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot log_slots[] = {
    {Py_tp_dealloc, log_dealloc},
    {Py_tp_traverse, log_traverse},
    {Py_tp_clear, log_clear},
    {Py_tp_methods, log_methods},
    {0, NULL},
};
static PyType_Spec log_spec = {"adead._fast.Log", sizeof(run_log), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, log_slots};

PyObject *log_new(PyObject *module, PyObject *write)
{
    (void)module;
    allocfunc allocate = (allocfunc)PyType_GetSlot(log_type, Py_tp_alloc);
    run_log  *l = (run_log *)allocate(log_type, 0);
    if (l) l->write = Py_NewRef(write);
    return (PyObject *)l;
}

PyObject *handle_record(PyObject *self, PyObject *object)
{
    handle *h = (handle *)self;
    bool    none = object == Py_None;
    if (h->kind != 2 || (!none && Py_TYPE(object) != log_type))
        return PyErr_Format(PyExc_TypeError, "an instance writes to a Log");
    if (adead_instance_record(h->pointer, none ? NULL : write_log, none ? NULL : object)) return raise_last_error();
    Py_RETURN_NONE;
}

bool record_make_type(PyObject *module)
{
    log_type = (PyTypeObject *)PyType_FromSpec(&log_spec);
    return log_type && PyModule_AddObjectRef(module, "Log", (PyObject *)log_type) == 0;
}
