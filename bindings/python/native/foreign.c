/* Python functions that programs call. See native.h; docs/foreign.md says what a call is.
 *
 * The library calls `call_python` on the thread of Instance.run, which has given up the GIL. Arguments that are memory
 * become memoryviews of a `range`, which counts them: when the function has returned, its memoryviews are released, and if a
 * slice or an array made of one is left, the program ends, and the memory stays for as long as that lives.
 */
#include "native.h"

#include <stdlib.h>

enum { ARGUMENTS = 16, VALUES = 8 }; /* at most, in a signature and in a callback's */

static PyTypeObject *range_type, *callback_type, *foreign_type;

static const char *const kind_names[] = {"nothing", "i32", "i64", "f32", "f64", "ptr", "ref", "buf", "fn"};

static PyObject *new_object(PyTypeObject *type)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return allocate(type, 0);
}

static void free_object(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc      release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* Raises a status with a sentence made by PyUnicode_FromFormat, whose reference is taken. */
static PyObject *raise_sentence(int code, PyObject *sentence, const char *hint)
{
    PyObject *bytes = sentence ? PyUnicode_AsEncodedString(sentence, "utf-8", "backslashreplace") : NULL;
    Py_XDECREF(sentence);
    if (!bytes) return NULL;
    raise_status(code, PyBytes_AsString(bytes), hint);
    Py_DECREF(bytes);
    return NULL;
}

/* ---- Memory that a function was passed ---- */

typedef struct range {
    PyObject_HEAD
    char      *data;
    Py_ssize_t bytes, exports;
    void      *own;      /* the copy of a buffer, which is this object's */
    handle    *instance; /* once the call is over and views are left: whose memory it is */
    bool       over;
} range;

static int range_get_buffer(PyObject *self, Py_buffer *b, int flags)
{
    range *r = (range *)self;
    b->obj = NULL;
    if (r->over) {
        PyErr_SetString(PyExc_BufferError, "the foreign call that this memory was passed to is over");
        return -1;
    }
    if (PyBuffer_FillInfo(b, self, r->data, r->bytes, 0, flags) < 0) return -1;
    r->exports++;
    return 0;
}

static void range_release_buffer(PyObject *self, Py_buffer *b)
{
    (void)b;
    range *r = (range *)self;
    if (--r->exports == 0 && r->instance) {
        handle *instance = r->instance;
        r->instance = NULL;
        handle_give_back(instance);
        Py_DECREF((PyObject *)instance);
    }
}

static void range_dealloc(PyObject *self)
{
    free(((range *)self)->own);
    free_object(self);
}

static range *range_new(const adead_foreign_value *value)
{
    range *r = (range *)new_object(range_type);
    if (!r) return NULL;
    r->data = value->data;
    r->bytes = (Py_ssize_t)value->bytes;
    if (value->kind != ADEAD_FOREIGN_BUF) return r;
    /* The library frees what it passed of a buffer when the call is over, whatever is left of the views. */
    r->own = malloc(value->bytes ? (size_t)value->bytes : 1);
    if (!r->own) {
        raise_status(ADEAD_NO_MEMORY, "there is no memory for a copy of a buffer", "");
        Py_DECREF((PyObject *)r);
        return NULL;
    }
    r->data = memcpy(r->own, value->data, (size_t)value->bytes);
    return r;
}

/* The call is over: nothing new is given out, and what is left keeps the instance. */
static void range_end(range *r, handle *instance)
{
    r->over = true;
    if (!r->exports || r->own) return;
    r->instance = (handle *)Py_NewRef((PyObject *)instance);
    instance->leases++;
}

static PyType_Slot range_slots[] = {
    {Py_tp_dealloc, range_dealloc},
    {Py_bf_getbuffer, range_get_buffer},
    {Py_bf_releasebuffer, range_release_buffer},
    {0, NULL},
};
static PyType_Spec range_spec = {"adead._fast.Range", sizeof(range), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, range_slots};

/* ---- Numbers ---- */

static PyObject *from_value(const adead_foreign_value *value)
{
    switch (value->kind) {
    case ADEAD_FOREIGN_I32: return PyLong_FromLong(value->i32);
    case ADEAD_FOREIGN_I64: return PyLong_FromLongLong(value->i64);
    case ADEAD_FOREIGN_F32: return PyFloat_FromDouble((double)value->f32);
    case ADEAD_FOREIGN_F64: return PyFloat_FromDouble(value->f64);
    default: return Py_NewRef(Py_None);
    }
}

static bool to_whole(PyObject *object, int64_t least, int64_t most, int64_t *out)
{
    int       overflow = 0;
    PyObject *number = PyNumber_Index(object);
    if (!number) return false;
    *out = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    return !overflow && !PyErr_Occurred() && *out >= least && *out <= most;
}

static bool to_float(PyObject *object, double *out)
{
    *out = PyFloat_AsDouble(object);
    return *out != -1 || !PyErr_Occurred();
}

/* The address in an object with the buffer protocol. */
static bool to_pointer(PyObject *object, void **out)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_FULL_RO) < 0) return false;
    *out = buffer.buf;
    PyBuffer_Release(&buffer);
    return true;
}

static bool is_finite(double value) { return value - value == 0; }

/* The object as a value of that kind; false when it is none, and then there may be an exception as well. */
static bool to_value(PyObject *object, uint32_t kind, adead_foreign_value *value)
{
    int64_t whole = 0;
    double  real = 0;
    value->kind = kind;
    switch (kind) {
    case ADEAD_FOREIGN_I32:
        if (!to_whole(object, INT32_MIN, INT32_MAX, &whole)) return false;
        value->i32 = (int32_t)whole;
        return true;
    case ADEAD_FOREIGN_I64: return to_whole(object, INT64_MIN, INT64_MAX, &value->i64);
    case ADEAD_FOREIGN_F32:
        if (!to_float(object, &real)) return false;
        value->f32 = (float)real;
        return is_finite((double)value->f32) || !is_finite(real);
    case ADEAD_FOREIGN_F64: return to_float(object, &value->f64);
    case ADEAD_FOREIGN_REF: return to_pointer(object, &value->data);
    default: return object == Py_None;
    }
}

/* An exception of to_value stays what it is, unless it says no more than that the type is another one. */
static bool says_more(void)
{
    if (!PyErr_Occurred()) return false;
    if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_OverflowError)) return true;
    PyErr_Clear();
    return false;
}

/* ---- Functions of the program that a foreign function may call ---- */

typedef struct callback {
    PyObject_HEAD
    adead_foreign_call *call; /* NULL once it is over */
    handle             *instance;
    PyObject           *type; /* bytes: the kind of the result, then those of the parameters */
    uint32_t            argument;
    unsigned long       thread;
} callback;

/* The program has ended in a callback. An exception of a foreign function that was called there goes on here; else there is
 * one that says so, always the same of a run: when that leaves the function, it is not the function's failure. */
static PyObject *raise_ended(handle *instance)
{
    PyObject *type, *value, *trace;
    PyObject *known = instance->raised ? instance->raised : instance->ended;
    if (known) {
        PyErr_SetObject((PyObject *)Py_TYPE(known), known);
        return NULL;
    }
    raise_status(ADEAD_INVALID_STATE, "the program has ended", "return from the foreign function");
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    instance->ended = Py_XNewRef(value);
    PyErr_Restore(type, value, trace);
    return NULL;
}

static PyObject *callback_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    callback           *c = (callback *)self;
    adead_foreign_value values[VALUES] = {{0}}, result = {0};
    char               *kinds = NULL;
    Py_ssize_t          count = 0;
    if (!c->call)
        return raise_status(ADEAD_INVALID_STATE, "the foreign call that this function was passed to is over", "");
    if (c->thread != PyThread_get_thread_ident())
        return raise_status(ADEAD_INVALID_STATE, "a function of the program is called by a thread that does not run it", "");
    if (PyBytes_AsStringAndSize(c->type, &kinds, &count) < 0) return NULL;
    count--;
    if (PyTuple_Size(args) != count || (keywords && PyDict_Size(keywords)))
        return raise_sentence(ADEAD_TYPE_MISMATCH,
                              PyUnicode_FromFormat("the callback takes %zd arguments, by position", count), "");
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *object = PyTuple_GetItem(args, i);
        uint32_t  kind = (uint32_t)kinds[i + 1];
        if (to_value(object, kind, &values[i])) continue;
        if (says_more()) return NULL;
        PyObject *sentence =
            PyUnicode_FromFormat("argument %zd of the callback must be %s, and is %.60R", i, kind_names[kind], object);
        return raise_sentence(ADEAD_TYPE_MISMATCH, sentence,
                              kind == ADEAD_FOREIGN_REF ? "a ref is a view of memory that the call was passed" : "");
    }
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = adead_foreign_call_back(c->call, c->argument, values, (uint32_t)count, &result);
    Py_END_ALLOW_THREADS
    if (status == ADEAD_OK) return from_value(&result);
    return status == ADEAD_INVALID_STATE ? raise_ended(c->instance) : raise_last_error();
}

static void callback_dealloc(PyObject *self)
{
    Py_XDECREF(((callback *)self)->type);
    free_object(self);
}

static PyType_Slot callback_slots[] = {
    {Py_tp_dealloc, callback_dealloc},
    {Py_tp_call, callback_call},
    {Py_tp_doc, "A function of the program that a foreign call was passed; to be called before that is over."},
    {0, NULL},
};
static PyType_Spec callback_spec = {"adead._fast.Callback", sizeof(callback), 0,
                                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, callback_slots};

static PyObject *callback_new(handle *instance, adead_foreign_call *call, uint32_t argument, PyObject *type)
{
    callback *c = (callback *)new_object(callback_type);
    if (!c) return NULL;
    c->call = call;
    c->instance = instance;
    c->type = Py_NewRef(type);
    c->argument = argument;
    c->thread = PyThread_get_thread_ident();
    return (PyObject *)c;
}

/* ---- The function ---- */

/* What the library has as context. The instance keeps it, and is there whenever it is called; so this keeps no reference. */
typedef struct foreign {
    PyObject_HEAD
    PyObject *function, *name; /* name: str */
    PyObject *types;           /* a tuple for each import of that name: bytes, the kinds of the result and of the parameters;
                                  and a tuple that has the type of each parameter that is a callback */
    handle   *instance;
} foreign;

/* One call. */
typedef struct running {
    foreign                   *f;
    adead_foreign_call        *call;
    const adead_foreign_value *values;
    adead_foreign_value       *result;
    uint32_t                   count;
    PyObject                  *args, *callbacks[ARGUMENTS];
    range                     *ranges[ARGUMENTS];
} running;

/* The types of the callbacks, of the import of that name that is called. Borrowed. */
static PyObject *callback_types(const running *c)
{
    for (Py_ssize_t i = 0; i < PyTuple_Size(c->f->types); i++) {
        PyObject  *one = PyTuple_GetItem(c->f->types, i);
        char      *kinds;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(one, 0), &kinds, &size) < 0) return NULL;
        bool same = size == (Py_ssize_t)c->count + 1 && (uint32_t)kinds[0] == c->result->kind;
        for (uint32_t p = 0; p < c->count && same; p++) same = (uint32_t)kinds[p + 1] == c->values[p].kind;
        if (same) return PyTuple_GetItem(one, 1);
    }
    PyErr_SetString(PyExc_SystemError, "a foreign call has a signature that the program does not import");
    return NULL;
}

static bool make_arguments(running *c)
{
    PyObject *types = callback_types(c);
    c->args = types ? PyTuple_New(c->count) : NULL;
    for (uint32_t i = 0; c->args && i < c->count; i++) {
        const adead_foreign_value *value = &c->values[i];
        PyObject                  *one;
        if (value->kind == ADEAD_FOREIGN_FN) {
            one = callback_new(c->f->instance, c->call, i, PyTuple_GetItem(types, i));
            c->callbacks[i] = Py_XNewRef(one);
        } else if (value->kind >= ADEAD_FOREIGN_PTR) {
            c->ranges[i] = range_new(value);
            one = c->ranges[i] ? PyMemoryView_FromObject((PyObject *)c->ranges[i]) : NULL;
        } else {
            one = from_value(value);
        }
        if (!one) return false;
        PyTuple_SetItem(c->args, i, one);
    }
    return c->args != NULL;
}

static bool take_answer(const running *c, PyObject *answer)
{
    uint32_t kind = c->result->kind;
    if (to_value(answer, kind, c->result)) return true;
    if (!says_more())
        raise_sentence(ADEAD_TYPE_MISMATCH,
                       PyUnicode_FromFormat("'%U' must return %s, and returned %.60R", c->f->name,
                                            kind ? kind_names[kind] : "None", answer), "");
    return false;
}

/* Frees cycles of objects that nobody has, even where the collector is switched off. */
static void collect_garbage(void)
{
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *done = gc ? PyObject_CallMethod(gc, "collect", NULL) : NULL;
    Py_XDECREF(done);
    Py_XDECREF(gc);
    PyErr_Clear();
}

/* How many views of the call's memory are left. */
static Py_ssize_t views_left(const running *c, uint32_t *which)
{
    Py_ssize_t left = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->ranges[i] || !c->ranges[i]->exports) continue;
        left += c->ranges[i]->exports;
        *which = i;
    }
    return left;
}

/* Ends the program with a sentence made by PyUnicode_FromFormat, whose reference is taken, or else with that text. */
static int fail(adead_foreign_call *call, PyObject *sentence, const char *text)
{
    PyObject *bytes = sentence ? PyUnicode_AsEncodedString(sentence, "utf-8", "backslashreplace") : NULL;
    int       status = adead_foreign_fail(call, bytes ? PyBytes_AsString(bytes) : text);
    Py_XDECREF(bytes);
    Py_XDECREF(sentence);
    PyErr_Clear();
    return status;
}

/* Takes the exception for Instance.run to raise it again, and tells the program. */
static int fail_with_exception(const running *c)
{
    handle   *h = c->f->instance;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace && value) PyException_SetTraceback(value, trace);
    Py_XDECREF(trace);
    PyObject *name = type ? PyType_GetName((PyTypeObject *)type) : NULL;
    Py_XDECREF(type);
    if (!value || value == h->ended) {
        Py_XDECREF(value);
        Py_XDECREF(name);
        return adead_foreign_fail(c->call, "the program has ended");
    }
    PyObject *text = PyObject_Str(value);
    if (!text) PyErr_Clear();
    PyObject *sentence = text && PyUnicode_GetLength(text) > 0
                             ? PyUnicode_FromFormat("'%U' raised %U: %.200U", c->f->name, name, text)
                             : PyUnicode_FromFormat("'%U' raised %U", c->f->name, name);
    int status = fail(c->call, sentence, "a Python function raised an exception");
    Py_XDECREF(text);
    Py_XDECREF(name);
    PyObject *before = h->raised;
    h->raised = value;
    Py_XDECREF(before);
    return status;
}

/* Nothing that was passed can be used any more. An answer that is good so far is not when views are left. */
static int finish(running *c, bool good)
{
    handle   *h = c->f->instance;
    uint32_t  which = 0;
    int       status = good ? ADEAD_OK : fail_with_exception(c);
    for (uint32_t i = 0; i < c->count; i++) {
        PyObject *view = c->ranges[i] && c->args ? PyTuple_GetItem(c->args, i) : NULL;
        PyObject *done = view ? PyObject_CallMethod(view, "release", NULL) : NULL;
        if (view && !done) PyErr_Clear(); /* an array is made of it: it is counted below */
        Py_XDECREF(done);
        if (c->callbacks[i]) ((callback *)c->callbacks[i])->call = NULL;
        Py_XDECREF(c->callbacks[i]);
    }
    Py_CLEAR(c->args);
    if (good && views_left(c, &which)) collect_garbage();
    if (good && views_left(c, &which)) {
        PyObject *sentence = PyUnicode_FromFormat("'%U' kept a view of its argument %u, which is valid during the call only",
                                                  c->f->name, (unsigned)which);
        status = fail(c->call, sentence, "a view of an argument was kept");
    }
    for (uint32_t i = 0; i < c->count; i++) {
        range *r = c->ranges[i];
        if (!r) continue;
        if (r->own && !status) memcpy(c->values[i].data, r->own, (size_t)r->bytes);
        range_end(r, h);
        Py_DECREF((PyObject *)r);
    }
    return status;
}

static int call_python(void *context, adead_foreign_call *call, const adead_foreign_value *values, uint32_t count,
                       adead_foreign_value *result)
{
    if (!Py_IsInitialized()) return adead_foreign_fail(call, "Python has ended");
    PyGILState_STATE state = PyGILState_Ensure();
    running          c = {.f = context, .call = call, .values = values, .result = result, .count = count};
    Py_INCREF((PyObject *)c.f);
    bool good = make_arguments(&c);
    if (good) {
        PyObject *answer = PyObject_CallObject(c.f->function, c.args);
        good = answer && take_answer(&c, answer);
        Py_XDECREF(answer);
    }
    int status = finish(&c, good);
    Py_DECREF((PyObject *)c.f);
    PyGILState_Release(state);
    return status;
}

static int foreign_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((foreign *)self)->function);
    return 0;
}

static int foreign_clear(PyObject *self)
{
    Py_CLEAR(((foreign *)self)->function);
    return 0;
}

static void foreign_dealloc(PyObject *self)
{
    foreign *f = (foreign *)self;
    PyObject_GC_UnTrack(self);
    Py_XDECREF(f->function);
    Py_XDECREF(f->name);
    Py_XDECREF(f->types);
    free_object(self);
}

static PyType_Slot foreign_slots[] = {
    {Py_tp_dealloc, foreign_dealloc},
    {Py_tp_traverse, foreign_traverse},
    {Py_tp_clear, foreign_clear},
    {0, NULL},
};
static PyType_Spec foreign_spec = {"adead._fast.Foreign", sizeof(foreign), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                   foreign_slots};

PyObject *handle_set_foreign(PyObject *self, PyObject *args)
{
    handle   *h = (handle *)self;
    PyObject *name, *function, *types;
    if (!PyArg_ParseTuple(args, "UOO!", &name, &function, &PyTuple_Type, &types)) return NULL;
    if (h->kind != 2) return PyErr_Format(PyExc_TypeError, "only an instance has foreign functions");
    PyObject *text = PyUnicode_AsUTF8String(name);
    if (!text) return NULL;
    bool      none = function == Py_None;
    PyObject *made = none ? Py_NewRef(Py_None) : new_object(foreign_type);
    if (made && !none) {
        foreign *f = (foreign *)made;
        f->function = Py_NewRef(function);
        f->name = Py_NewRef(name);
        f->types = Py_NewRef(types);
        f->instance = h;
    }
    if (made && adead_instance_set_foreign(h->pointer, PyBytes_AsString(text), none ? NULL : call_python, made)) {
        Py_CLEAR(made);
        raise_last_error();
    }
    Py_DECREF(text);
    return made;
}

PyObject *handle_take_raised(PyObject *self, PyObject *none)
{
    (void)none;
    handle   *h = (handle *)self;
    PyObject *raised = h->raised ? h->raised : Py_NewRef(Py_None);
    h->raised = NULL;
    Py_CLEAR(h->ended);
    return raised;
}

bool foreign_make_types(PyObject *module)
{
    range_type = (PyTypeObject *)PyType_FromSpec(&range_spec);
    callback_type = (PyTypeObject *)PyType_FromSpec(&callback_spec);
    foreign_type = (PyTypeObject *)PyType_FromSpec(&foreign_spec);
    return range_type && callback_type && foreign_type &&
           PyModule_AddObjectRef(module, "Foreign", (PyObject *)foreign_type) == 0 &&
           PyModule_AddObjectRef(module, "Callback", (PyObject *)callback_type) == 0;
}
