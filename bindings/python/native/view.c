/* Views of other people's arrays. See native.h. */
#include "native.h"

/* The type of a buffer's elements, by the letters of the module struct; NO_DTYPE for what adead does not compute with. */
static int dtype_of(const char *format, Py_ssize_t size)
{
    const uint16_t one = 1;
    bool           little = *(const uint8_t *)&one;
    if (!format) return ADEAD_U8;
    if (*format == '@' || *format == '=' || *format == (little ? '<' : '>')) format++;
    if (!format[0] || format[1]) return NO_DTYPE;
    switch (format[0]) {
    case 'f': return ADEAD_F32;
    case 'd': return ADEAD_F64;
    case 'e': return ADEAD_F16;
    case 'b': return ADEAD_I8;
    case 'B': return ADEAD_U8;
    case 'i':
    case 'l':
    case 'q':
    case 'n': return size == 4 ? ADEAD_I32 : size == 8 ? ADEAD_I64 : NO_DTYPE;
    default: return NO_DTYPE;
    }
}

static bool from_buffer(PyObject *object, view *out)
{
    if (PyObject_GetBuffer(object, &out->buffer, PyBUF_RECORDS_RO) < 0) return false;
    const Py_buffer *b = &out->buffer;
    out->held = true;
    out->numpy = numpy_type && Py_TYPE(object) == numpy_type;
    out->dtype = dtype_of(b->format, b->itemsize);
    if (b->ndim > ADEAD_RANK_MAX) {
        view_drop(out);
        raise_status(ADEAD_SHAPE_MISMATCH, "an array may have up to 8 dimensions", "");
        return false;
    }
    out->data = b->buf;
    out->rank = b->ndim;
    out->readonly = b->readonly;
    for (int i = 0; i < b->ndim; i++) {
        out->dims[i] = b->shape[i];
        out->strides[i] = b->strides[i];
    }
    return true;
}

bool view_get(PyObject *object, view *out)
{
    if (numpy_view(object, out)) return true;
    if (PyObject_TypeCheck(object, tensor_type)) {
        *out = ((tensor *)object)->v;
        out->held = out->numpy = false;
        return true;
    }
    if (!numpy_type) {
        numpy_look();
        if (numpy_type && numpy_view(object, out)) return true;
    }
    return from_buffer(object, out);
}

void view_drop(view *v)
{
    if (v->held) PyBuffer_Release(&v->buffer);
    v->held = false;
}

bool view_contiguous(const view *v)
{
    Py_ssize_t step = adead_type_size((uint32_t)v->dtype);
    for (int i = v->rank; i-- > 0;) {
        if (v->dims[i] == 0) return true;
    }
    for (int i = v->rank; i-- > 0;) {
        if (v->dims[i] != 1 && v->strides[i] != step) return false;
        step *= v->dims[i];
    }
    return true;
}

Py_ssize_t view_span(const view *v)
{
    Py_ssize_t span = adead_type_size((uint32_t)v->dtype);
    for (int i = 0; i < v->rank; i++) {
        if (v->dims[i] == 0) return 0;
        span += (v->dims[i] - 1) * v->strides[i];
    }
    return span;
}
