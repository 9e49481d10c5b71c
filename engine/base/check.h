#pragma once

#include <cstdio>
#include <cstdlib>

/// Aborts with the place and the broken condition. For a programmer's error only: what a user, a
/// file or a model can cause is an Error or an Expected.
#define MOEBENCH_CHECK(condition)                                                        \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
