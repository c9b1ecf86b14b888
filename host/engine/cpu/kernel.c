#include "kernel.h"

#include <stddef.h>
#include <string.h>

#include "blocked.h"
#include "onednn.h"

/* Best first. oneDNN stands behind the own AVX512-VNNI kernel: as fast from 256^3 on, it
 * is 1.5 to 10 times slower on small and flat products (docs/cpu.md). */
static const systole_cpu_kernel *const kernels[] = {
    &systole_kernel_avx512_vnni,  &systole_kernel_onednn,
    &systole_kernel_avx_vnni,     &systole_kernel_avx512_pmaddwd,
    &systole_kernel_avx2_pmaddwd, &systole_kernel_sse2_pmaddwd,
    &systole_kernel_plain,
};

const systole_cpu_kernel *const *systole_cpu_kernels(int *count) {
  *count = (int)(sizeof kernels / sizeof kernels[0]);
  return kernels;
}

const systole_cpu_kernel *systole_cpu_kernel_find(const char *name) {
  int count = 0;
  const systole_cpu_kernel *const *all = systole_cpu_kernels(&count);
  for (int i = 0; i < count; i++) {
    if (strcmp(all[i]->name, name) == 0) return all[i];
  }
  return NULL;
}

static int good(const systole_cpu_kernel *kernel) {
  const char *why = "";
  return kernel->usable(kernel, &why) && systole_cpu_selftest(kernel, &why);
}

const systole_cpu_kernel *systole_cpu_kernel_best(void) {
  /* AMX does several times what AVX512-VNNI does, and only oneDNN uses it. */
  if (systole_onednn_has_amx() && good(&systole_kernel_onednn))
    return &systole_kernel_onednn;
  int count = 0;
  const systole_cpu_kernel *const *all = systole_cpu_kernels(&count);
  for (int i = 0; i < count; i++) {
    if (good(all[i])) return all[i];
  }
  return NULL;
}
