/* Tensors: memory of their own, or a view of somebody's, with type and shape. They give the buffer protocol and DLPack, and
 * take both; nothing is copied. The Python class adead.Tensor adds the rest.
 */
#include "native.h"

#include <stdlib.h>

PyTypeObject *tensor_type;
PyObject     *tensor_class;

/* ---- DLPack 1.0: the structures of dlpack.h ---- */

typedef struct dl_tensor {
    void    *data;
    int32_t  device_type, device_id;
    int32_t  rank;
    uint8_t  code, bits;
    uint16_t lanes;
    int64_t *dims, *strides; /* in elements; strides NULL: dense */
    uint64_t offset;
} dl_tensor;
typedef struct dl_managed {
    dl_tensor tensor;
    void     *context;
    void (*deleter)(struct dl_managed *);
} dl_managed;
typedef struct dl_versioned {
    uint32_t major, minor;
    void    *context;
    void (*deleter)(struct dl_versioned *);
    uint64_t  flags;
    dl_tensor tensor;
} dl_versioned;
enum { DL_CPU = 1, DL_INT = 0, DL_UINT = 1, DL_FLOAT = 2, DL_BFLOAT = 4, DL_READ_ONLY = 1, DL_COPIED = 2 };

static const struct { uint8_t code, bits; } dl_types[DTYPES] = {
    [ADEAD_F32] = {DL_FLOAT, 32}, [ADEAD_F64] = {DL_FLOAT, 64}, [ADEAD_I32] = {DL_INT, 32}, [ADEAD_I64] = {DL_INT, 64},
    [ADEAD_U8] = {DL_UINT, 8},    [ADEAD_I8] = {DL_INT, 8},     [ADEAD_F16] = {DL_FLOAT, 16}, [ADEAD_BF16] = {DL_BFLOAT, 16},
};
/* bf16 has no letter; its bits go as unsigned numbers. */
static char *const formats[DTYPES] = {"f", "d", "i", "q", "B", "b", "e", "H"};

/* ---- Making ---- */

static tensor *make(PyObject *class)
{
    if (!PyType_Check(class) || !PyType_IsSubtype((PyTypeObject *)class, tensor_type)) {
        PyErr_SetString(PyExc_TypeError, "a class of tensors is expected");
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot((PyTypeObject *)class, Py_tp_alloc);
    return (tensor *)allocate((PyTypeObject *)class, 0);
}

static void dense(view *v)
{
    Py_ssize_t step = adead_type_size((uint32_t)v->dtype);
    for (int i = v->rank; i-- > 0;) {
        v->strides[i] = step;
        step *= v->dims[i] ? v->dims[i] : 1;
    }
}

/* Bytes of a dense array of that shape; false with an exception when no memory can hold it. */
static bool size_of(const view *v, Py_ssize_t *bytes)
{
    *bytes = adead_type_size((uint32_t)v->dtype);
    for (int i = 0; i < v->rank; i++) {
        if (v->dims[i] && *bytes > PY_SSIZE_T_MAX / v->dims[i]) {
            raise_status(ADEAD_NO_MEMORY, "no memory can hold an array of that shape", "");
            return false;
        }
        *bytes *= v->dims[i];
    }
    return true;
}

bool tensor_dims(PyObject *tuple, view *out)
{
    Py_ssize_t count = PyTuple_Size(tuple);
    if (count < 0) return false;
    if (count > ADEAD_RANK_MAX) {
        raise_status(ADEAD_SHAPE_MISMATCH, "an array may have up to 8 dimensions", "");
        return false;
    }
    out->rank = (int)count;
    for (int i = 0; i < out->rank; i++) {
        out->dims[i] = PyNumber_AsSsize_t(PyTuple_GetItem(tuple, i), PyExc_OverflowError);
        if (out->dims[i] == -1 && PyErr_Occurred()) return false;
        if (out->dims[i] < 0) {
            raise_status(ADEAD_SHAPE_MISMATCH, "a dimension is negative", "");
            return false;
        }
    }
    return true;
}

static bool known_dtype(int dtype)
{
    if (dtype >= 0 && dtype < DTYPES) return true;
    raise_status(ADEAD_TYPE_MISMATCH, "there is no element type of that number", "");
    return false;
}

static bool allocate_memory(tensor *t)
{
    Py_ssize_t bytes;
    dense(&t->v);
    if (!size_of(&t->v, &bytes)) return false;
    if (bytes <= PY_SSIZE_T_MAX - 64) t->memory = calloc(1, (size_t)bytes + 64);
    if (!t->memory) {
        raise_status(ADEAD_NO_MEMORY, "there is no memory for an array of that shape", "");
        return false;
    }
    t->v.data = (char *)(((uintptr_t)t->memory + 63) & ~(uintptr_t)63);
    return true;
}

PyObject *tensor_empty(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *class, *shape;
    int       dtype;
    if (!PyArg_ParseTuple(args, "OO!i", &class, &PyTuple_Type, &shape, &dtype) || !known_dtype(dtype)) return NULL;
    tensor *t = make(class);
    if (!t) return NULL;
    t->v.dtype = dtype;
    if (tensor_dims(shape, &t->v) && allocate_memory(t)) return (PyObject *)t;
    Py_DECREF((PyObject *)t);
    return NULL;
}

PyObject *tensor_new_f32(Py_ssize_t rows, Py_ssize_t cols)
{
    tensor *t = make(tensor_class);
    if (!t) return NULL;
    t->v.dtype = ADEAD_F32;
    t->v.rank = 2;
    t->v.dims[0] = rows;
    t->v.dims[1] = cols;
    if (allocate_memory(t)) return (PyObject *)t;
    Py_DECREF((PyObject *)t);
    return NULL;
}

/* Gives the elements another type, of the same size or of bytes; with a shape also that. */
static bool reinterpret(tensor *t, int dtype, PyObject *shape)
{
    Py_ssize_t size = adead_type_size((uint32_t)dtype), item = t->v.held ? t->v.buffer.itemsize : 0, bytes, have = item;
    if (!item) have = item = adead_type_size((uint32_t)t->v.dtype);
    view before = t->v;
    bool contiguous = true;
    for (int i = t->v.rank; i-- > 0;) {
        if (t->v.dims[i] > 1 && t->v.strides[i] != have) contiguous = false;
        have *= t->v.dims[i];
    }
    t->v.dtype = dtype;
    if (shape == Py_None) {
        if (item == size) return true;
        raise_status(ADEAD_TYPE_MISMATCH, "the elements have another size than the type asked for", "give a shape as well");
        return false;
    }
    if (!contiguous && have != 0) {
        raise_status(ADEAD_INVALID_ARGUMENT, "an array that is not contiguous cannot get another shape",
                     "adead.contiguous(x) copies it");
        return false;
    }
    if (!tensor_dims(shape, &t->v) || !size_of(&t->v, &bytes)) return false;
    if (bytes != have || (item != size && item != 1 && size != 1)) {
        t->v = before;
        raise_status(ADEAD_SHAPE_MISMATCH, "the shape asked for takes another number of bytes", "");
        return false;
    }
    dense(&t->v);
    return true;
}

PyObject *tensor_from_buffer(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *class, *object, *shape;
    int       dtype;
    if (!PyArg_ParseTuple(args, "OOiO", &class, &object, &dtype, &shape)) return NULL;
    if (dtype != NO_DTYPE && !known_dtype(dtype)) return NULL;
    tensor *t = make(class);
    if (!t) return NULL;
    if (!view_get(object, &t->v)) goto failed;
    t->v.numpy = false;
    if (!t->v.held) t->owner = Py_NewRef(object);
    if (dtype == NO_DTYPE) dtype = t->v.dtype;
    if (dtype == NO_DTYPE) {
        raise_status(ADEAD_TYPE_MISMATCH, "the elements are of no type that adead knows",
                     "known are f32, f64, i32, i64, u8, i8, f16, bf16, in this machine's byte order");
        goto failed;
    }
    if ((dtype == t->v.dtype && shape == Py_None) || reinterpret(t, dtype, shape)) return (PyObject *)t;
failed:
    Py_DECREF((PyObject *)t);
    return NULL;
}

PyObject *tensor_from_pointer(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject          *class, *shape, *strides, *owner;
    unsigned long long address;
    int                dtype, readonly;
    if (!PyArg_ParseTuple(args, "OKiO!OpO", &class, &address, &dtype, &PyTuple_Type, &shape, &strides, &readonly, &owner) ||
        !known_dtype(dtype))
        return NULL;
    tensor *t = make(class);
    if (!t) return NULL;
    t->v.dtype = dtype;
    t->v.data = (char *)(uintptr_t)address;
    t->v.readonly = readonly;
    t->owner = Py_NewRef(owner);
    if (!tensor_dims(shape, &t->v)) goto failed;
    dense(&t->v);
    for (int i = 0; strides != Py_None && i < t->v.rank; i++) {
        PyObject *one = PySequence_GetItem(strides, i);
        t->v.strides[i] = one ? PyNumber_AsSsize_t(one, PyExc_OverflowError) : 0;
        Py_XDECREF(one);
        if (PyErr_Occurred()) goto failed;
    }
    return (PyObject *)t;
failed:
    Py_DECREF((PyObject *)t);
    return NULL;
}

/* ---- DLPack in ---- */

static void delete_managed(void *foreign)
{
    dl_managed *m = foreign;
    if (m->deleter) m->deleter(m);
}

static void delete_versioned(void *foreign)
{
    dl_versioned *m = foreign;
    if (m->deleter) m->deleter(m);
}

static bool take_dl(tensor *t, const dl_tensor *d)
{
    int dtype = 0;
    while (dtype < DTYPES && (dl_types[dtype].code != d->code || dl_types[dtype].bits != d->bits || d->lanes != 1)) dtype++;
    if (dtype == DTYPES) {
        raise_status(ADEAD_TYPE_MISMATCH, "the elements are of no type that adead knows",
                     "known are f32, f64, i32, i64, u8, i8, f16, bf16");
        return false;
    }
    if (d->device_type != DL_CPU) {
        raise_status(ADEAD_INVALID_ARGUMENT, "the array does not lie in the memory of the processor", "");
        return false;
    }
    if (d->rank < 0 || d->rank > ADEAD_RANK_MAX) {
        raise_status(ADEAD_SHAPE_MISMATCH, "an array may have up to 8 dimensions", "");
        return false;
    }
    t->v.dtype = dtype;
    t->v.rank = d->rank;
    t->v.data = (char *)d->data + d->offset;
    for (int i = 0; i < d->rank; i++) t->v.dims[i] = (Py_ssize_t)d->dims[i];
    dense(&t->v);
    for (int i = 0; d->strides && i < d->rank; i++) t->v.strides[i] = (Py_ssize_t)d->strides[i] * (d->bits / 8);
    return true;
}

PyObject *tensor_from_dlpack(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *class, *capsule;
    if (!PyArg_ParseTuple(args, "OO", &class, &capsule)) return NULL;
    bool  versioned = PyCapsule_IsValid(capsule, "dltensor_versioned");
    void *foreign = PyCapsule_GetPointer(capsule, versioned ? "dltensor_versioned" : "dltensor");
    if (!foreign) {
        PyErr_Clear();
        return raise_status(ADEAD_TYPE_MISMATCH, "__dlpack__ gave no capsule that has not been used", "");
    }
    if (versioned && ((dl_versioned *)foreign)->major != 1)
        return raise_status(ADEAD_TYPE_MISMATCH, "__dlpack__ gave a capsule of another major version than 1", "");
    tensor *t = make(class);
    if (!t) return NULL;
    if (!take_dl(t, versioned ? &((dl_versioned *)foreign)->tensor : &((dl_managed *)foreign)->tensor)) goto failed;
    t->v.readonly = versioned && (((dl_versioned *)foreign)->flags & DL_READ_ONLY);
    if (PyCapsule_SetName(capsule, versioned ? "used_dltensor_versioned" : "used_dltensor") < 0) goto failed;
    t->foreign = foreign;
    t->foreign_delete = versioned ? delete_versioned : delete_managed;
    return (PyObject *)t;
failed:
    Py_DECREF((PyObject *)t);
    return NULL;
}

/* ---- DLPack out ---- */

/* What a capsule points at: one structure or the other, and the numbers it refers to. */
typedef struct export {
    union { dl_managed managed; dl_versioned versioned; } u;
    int64_t   dims[ADEAD_RANK_MAX], strides[ADEAD_RANK_MAX];
    PyObject *tensor;
} export;

/* May be called by any thread, with or without the GIL; at the very end of the process there is no GIL to take. */
static void free_export(export *e)
{
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        Py_DECREF(e->tensor);
        PyGILState_Release(state);
    }
    free(e);
}

static void free_managed(dl_managed *m) { free_export(m->context); }
static void free_versioned(dl_versioned *m) { free_export(m->context); }

/* A capsule that nobody took still owns what it points at; one that was taken has another name. */
static void capsule_end(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor_versioned"))
        free_export(((dl_versioned *)PyCapsule_GetPointer(capsule, "dltensor_versioned"))->context);
    else if (PyCapsule_IsValid(capsule, "dltensor"))
        free_export(((dl_managed *)PyCapsule_GetPointer(capsule, "dltensor"))->context);
}

PyObject *tensor_to_dlpack(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *object;
    int       versioned, copied;
    if (!PyArg_ParseTuple(args, "O!pp", tensor_type, &object, &versioned, &copied)) return NULL;
    const view *v = &((tensor *)object)->v;
    export     *e = calloc(1, sizeof *e);
    if (!e) return raise_status(ADEAD_NO_MEMORY, "there is no memory for a DLPack structure", "");
    Py_ssize_t size = adead_type_size((uint32_t)v->dtype);
    dl_tensor *d = versioned ? &e->u.versioned.tensor : &e->u.managed.tensor;
    for (int i = 0; i < v->rank; i++) {
        e->dims[i] = v->dims[i];
        e->strides[i] = v->strides[i] / size;
        if (v->strides[i] % size == 0) continue;
        free(e);
        return PyErr_Format(PyExc_BufferError, "the strides are not whole elements, which DLPack cannot say");
    }
    *d = (dl_tensor){
        v->data, DL_CPU, 0, v->rank, dl_types[v->dtype].code, dl_types[v->dtype].bits, 1, e->dims, e->strides, 0};
    e->tensor = Py_NewRef(object);
    if (versioned) {
        e->u.versioned.major = 1;
        e->u.versioned.context = e;
        e->u.versioned.deleter = free_versioned;
        e->u.versioned.flags = (v->readonly ? DL_READ_ONLY : 0) | (copied ? DL_COPIED : 0);
    } else {
        e->u.managed.context = e;
        e->u.managed.deleter = free_managed;
    }
    PyObject *capsule = PyCapsule_New(&e->u, versioned ? "dltensor_versioned" : "dltensor", capsule_end);
    if (!capsule) free_export(e);
    return capsule;
}

/* ---- The type ---- */

static void dealloc(PyObject *self)
{
    tensor       *t = (tensor *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (t->foreign) t->foreign_delete(t->foreign);
    view_drop(&t->v);
    free(t->memory);
    Py_XDECREF(t->owner);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static int get_buffer(PyObject *self, Py_buffer *b, int flags)
{
    const view *v = &((tensor *)self)->v;
    bool        contiguous = view_contiguous(v);
    b->obj = NULL;
    if ((flags & PyBUF_WRITABLE) && v->readonly) {
        PyErr_SetString(PyExc_BufferError, "the tensor is read-only");
        return -1;
    }
    if (!contiguous && (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        PyErr_SetString(PyExc_BufferError, "the tensor is not contiguous");
        return -1;
    }
    bool ordered = flags & (PyBUF_C_CONTIGUOUS | PyBUF_F_CONTIGUOUS | PyBUF_ANY_CONTIGUOUS) & ~PyBUF_STRIDES;
    if (ordered && !contiguous) {
        PyErr_SetString(PyExc_BufferError, "the tensor is not contiguous");
        return -1;
    }
    bool fortran = (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && (flags & PyBUF_C_CONTIGUOUS) != PyBUF_C_CONTIGUOUS;
    if (fortran && v->rank > 1 && (flags & PyBUF_ANY_CONTIGUOUS) != PyBUF_ANY_CONTIGUOUS) {
        PyErr_SetString(PyExc_BufferError, "the tensor is row-major");
        return -1;
    }
    Py_ssize_t count = 1;
    for (int i = 0; i < v->rank; i++) count *= v->dims[i];
    b->buf = v->data;
    b->itemsize = adead_type_size((uint32_t)v->dtype);
    b->len = count * b->itemsize;
    b->readonly = v->readonly;
    b->ndim = v->rank;
    b->format = flags & PyBUF_FORMAT ? formats[v->dtype] : NULL;
    b->shape = flags & PyBUF_ND ? (Py_ssize_t *)v->dims : NULL;
    b->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? (Py_ssize_t *)v->strides : NULL;
    b->suboffsets = NULL;
    b->internal = NULL;
    b->obj = Py_NewRef(self);
    return 0;
}

static PyObject *numbers(const Py_ssize_t *from, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; tuple && i < count; i++) {
        PyObject *one = PyLong_FromSsize_t(from[i]);
        if (!one) Py_CLEAR(tuple);
        else PyTuple_SetItem(tuple, i, one);
    }
    return tuple;
}

static PyObject *get_shape(PyObject *self, void *none)
{
    (void)none;
    return numbers(((tensor *)self)->v.dims, ((tensor *)self)->v.rank);
}

static PyObject *get_strides(PyObject *self, void *none)
{
    (void)none;
    return numbers(((tensor *)self)->v.strides, ((tensor *)self)->v.rank);
}

static PyObject *get_dtype(PyObject *self, void *none)
{
    (void)none;
    return PyLong_FromLong(((tensor *)self)->v.dtype);
}

static PyObject *get_address(PyObject *self, void *none)
{
    (void)none;
    return PyLong_FromUnsignedLongLong((uintptr_t)((tensor *)self)->v.data);
}

static PyObject *get_readonly(PyObject *self, void *none)
{
    (void)none;
    return PyBool_FromLong(((tensor *)self)->v.readonly);
}

static PyObject *get_contiguous(PyObject *self, void *none)
{
    (void)none;
    return PyBool_FromLong(view_contiguous(&((tensor *)self)->v));
}

static PyGetSetDef members[] = {
    {"shape", get_shape, NULL, "The dimensions, as a tuple.", NULL},
    {"strides", get_strides, NULL, "Bytes from one element to the next along each dimension.", NULL},
    {"_dtype", get_dtype, NULL, NULL, NULL},
    {"address", get_address, NULL, "Where the first element lies.", NULL},
    {"readonly", get_readonly, NULL, "Whether it can only be read.", NULL},
    {"contiguous", get_contiguous, NULL, "Whether the elements lie row by row without gaps.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* Called directly: an empty f32 tensor of one dimension. */
static PyObject *new_tensor(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)args, (void)keywords;
    tensor *t = make((PyObject *)type);
    if (!t) return NULL;
    t->v.rank = 1;
    if (allocate_memory(t)) return (PyObject *)t;
    Py_DECREF((PyObject *)t);
    return NULL;
}

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_new, new_tensor},
    {Py_tp_getset, members},
    {Py_bf_getbuffer, get_buffer},
    {0, NULL},
};

static PyType_Spec spec = {"adead._fast.TensorBase", sizeof(tensor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

bool tensor_make_type(PyObject *module)
{
    tensor_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return tensor_type && PyModule_AddObjectRef(module, "TensorBase", (PyObject *)tensor_type) == 0;
}
