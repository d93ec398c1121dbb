/* Handles of the library as Python objects that know who is using them. See native.h. */
#include "native.h"

PyTypeObject *handle_type;

static void destroy(int kind, void *pointer)
{
    Py_BEGIN_ALLOW_THREADS
    if (kind == 0) adead_runtime_destroy(pointer);
    else if (kind == 1) adead_program_destroy(pointer);
    else if (kind == 2) adead_instance_destroy(pointer);
    else if (kind == 3) adead_pipeline_destroy(pointer);
    else adead_shader_destroy(pointer);
    Py_END_ALLOW_THREADS
}

static void destroy_if_unused(handle *h)
{
    if (!h->closed || h->users || h->leases || !h->pointer) return;
    void *pointer = h->pointer;
    h->pointer = NULL;
    destroy(h->kind, pointer);
}

bool handle_enter(handle *h)
{
    static const char *const sentences[] = {"the runtime is closed", "the program is closed", "the instance is closed",
                                            "the pipeline is closed", "the shader is closed"};
    if (h->closed || !h->pointer) {
        raise_status(ADEAD_INVALID_STATE, sentences[h->kind], "");
        return false;
    }
    h->users++;
    return true;
}

void handle_leave(handle *h)
{
    h->users--;
    destroy_if_unused(h);
}

/* Takes the library's object over, also where there is one already because `__init__` is called again: then it goes. */
static PyObject *attach(PyObject *self, PyObject *args)
{
    handle            *h = (handle *)self;
    unsigned long long pointer;
    int                kind;
    if (!PyArg_ParseTuple(args, "iK", &kind, &pointer)) return NULL;
    if (h->pointer || h->closed) {
        destroy(kind, (void *)(uintptr_t)pointer);
        return raise_status(ADEAD_INVALID_STATE, "__init__ was called before", "make another object");
    }
    h->kind = kind;
    h->pointer = (void *)(uintptr_t)pointer;
    Py_RETURN_NONE;
}

static PyObject *enter(PyObject *self, PyObject *exclusive)
{
    handle *h = (handle *)self;
    int     alone = PyObject_IsTrue(exclusive);
    if (alone < 0) return NULL;
    if (alone && h->users && !h->closed) {
        static const char *const busy[] = {"the instance is in use, by another thread or further up in this one",
                                           "the pipeline is in use, by another thread or further up in this one",
                                           "the shader is in use, by another thread or further up in this one"};
        static const char *const hints[] = {"make an instance for each thread", "make a pipeline for each thread",
                                            "load the shader for each thread"};
        int which = h->kind < 3 ? 0 : h->kind - 2;
        return raise_status(ADEAD_INVALID_STATE, busy[which], hints[which]);
    }
    if (!handle_enter(h)) return NULL;
    return PyLong_FromUnsignedLongLong((uintptr_t)h->pointer);
}

static PyObject *leave(PyObject *self, PyObject *none)
{
    (void)none;
    handle_leave((handle *)self);
    Py_RETURN_NONE;
}

static PyObject *lease(PyObject *self, PyObject *none)
{
    (void)none;
    ((handle *)self)->leases++;
    Py_RETURN_NONE;
}

void handle_give_back(handle *h)
{
    h->leases--;
    destroy_if_unused(h);
}

static PyObject *give_back(PyObject *self, PyObject *none)
{
    (void)none;
    handle_give_back((handle *)self);
    Py_RETURN_NONE;
}

static PyObject *close_handle(PyObject *self, PyObject *none)
{
    (void)none;
    ((handle *)self)->closed = true;
    destroy_if_unused((handle *)self);
    Py_RETURN_NONE;
}

static PyObject *get_closed(PyObject *self, void *none)
{
    (void)none;
    return PyBool_FromLong(((handle *)self)->closed);
}

static PyObject *get_users(PyObject *self, void *none)
{
    (void)none;
    return PyLong_FromSsize_t(((handle *)self)->users);
}

static PyObject *get_leases(PyObject *self, void *none)
{
    (void)none;
    return PyLong_FromSsize_t(((handle *)self)->leases);
}

static void dealloc(PyObject *self)
{
    handle       *h = (handle *)self;
    PyTypeObject *type = Py_TYPE(self);
    h->closed = true;
    h->users = h->leases = 0;
    destroy_if_unused(h);
    Py_CLEAR(h->raised);
    Py_CLEAR(h->ended);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"matmul", (PyCFunction)(void (*)(void))operations_matmul, METH_FASTCALL | METH_KEYWORDS, "See adead.matmul."},
    {"_attach", attach, METH_VARARGS, NULL},
    {"_enter", enter, METH_O, NULL},
    {"_leave", leave, METH_NOARGS, NULL},
    {"_lease", lease, METH_NOARGS, NULL},
    {"_give_back", give_back, METH_NOARGS, NULL},
    {"_close", close_handle, METH_NOARGS, NULL},
    {"_set_foreign", handle_set_foreign, METH_VARARGS, NULL},
    {"_record", handle_record, METH_O, NULL},
    {"_take_raised", handle_take_raised, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"closed", get_closed, NULL, "Whether close() was called.", NULL},
    {"_users", get_users, NULL, NULL, NULL},
    {"_leases", get_leases, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {0, NULL},
};

static PyType_Spec spec = {"adead._fast.Handle", sizeof(handle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

bool handle_make_type(PyObject *module)
{
    handle_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return handle_type && PyModule_AddObjectRef(module, "Handle", (PyObject *)handle_type) == 0;
}
