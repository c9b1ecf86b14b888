/* oneDNN's dnnl_gemm_s8s8s32 as a kernel, where the build has the library. */
#ifndef SYSTOLE_CPU_ONEDNN_H
#define SYSTOLE_CPU_ONEDNN_H

#include "kernel.h"

extern const systole_cpu_kernel systole_kernel_onednn;

/* 1 if oneDNN is here and uses AMX, which no own kernel does. */
int systole_onednn_has_amx(void);

#endif
