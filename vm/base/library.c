/* Libraries of the system, opened while running; see library.h. */
#include "library.h"

#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#if defined(_WIN32)

void *adead_library_open(const char *path, char *reason, size_t size)
{
    wchar_t wide[1024];
    HMODULE library = NULL;
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, 1024) != 0) library = LoadLibraryW(wide);
    if (!library) snprintf(reason, size, "%.100s: the system's error %lu", path, (unsigned long)GetLastError());
    return (void *)library;
}

void adead_library_close(void *library)
{
    FreeLibrary((HMODULE)library);
}

void *adead_library_symbol(void *library, const char *name)
{
    FARPROC symbol = GetProcAddress((HMODULE)library, name);
    void   *address;
    memcpy(&address, &symbol, sizeof address);
    return address;
}

#else

void *adead_library_open(const char *path, char *reason, size_t size)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        snprintf(reason, size, "%.200s", why ? why : "the system gives no reason");
    }
    return library;
}

void adead_library_close(void *library)
{
    dlclose(library);
}

void *adead_library_symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

#endif
