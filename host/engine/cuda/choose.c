#include "choose.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"

static int attribute(const systole_cuda_runtime *cuda, int which, cuda_device device) {
  int value = 0;
  return cuda->driver.device_attribute(&value, which, device) == CudaSuccess ? value : 0;
}

int systole_cuda_devices(systole_cuda_device out[SystoleCudaDevices], const char **why) {
  const systole_cuda_runtime *cuda = systole_cuda(why);
  int total = 0, count = 0;
  if (cuda == NULL) return 0;
  if (cuda->driver.device_count(&total) != CudaSuccess) total = 0;
  for (int i = 0; i < total && count < SystoleCudaDevices; i++) {
    systole_cuda_device *d = &out[count];
    size_t bytes = 0;
    memset(d, 0, sizeof *d);
    d->index = i;
    if (cuda->driver.device_get(&d->device, i) != CudaSuccess) continue;
    if (cuda->driver.device_name(d->name, (int)sizeof d->name, d->device) !=
        CudaSuccess) {
      (void)snprintf(d->name, sizeof d->name, "NVIDIA GPU %d", i);
    }
    if (cuda->driver.device_address(d->address, (int)sizeof d->address, d->device) !=
        CudaSuccess) {
      d->address[0] = '\0';
    }
    if (cuda->driver.device_memory(&bytes, d->device) == CudaSuccess) {
      d->memory_bytes = bytes;
    }
    d->capability = 10 * attribute(cuda, CudaCapabilityMajor, d->device) +
                    attribute(cuda, CudaCapabilityMinor, d->device);
    d->processors = attribute(cuda, CudaMultiprocessors, d->device);
    count++;
  }
  *why = count == 0 ? "NVIDIA's driver names no GPU any more" : "";
  return count;
}

/* `part` within `text`, in any case. */
static int contains(const char *text, const char *part) {
  const size_t length = strlen(part);
  for (; *text != '\0'; text++) {
    size_t i = 0;
    while (i < length && text[i] != '\0' &&
           tolower((unsigned char)text[i]) == tolower((unsigned char)part[i])) {
      i++;
    }
    if (i == length) return 1;
  }
  return length == 0;
}

static int is_index(const char *text) {
  return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

systole_status systole_cuda_choose(systole_cuda_device *out, const char *what) {
  systole_cuda_device devices[SystoleCudaDevices];
  const char *why = "";
  const int count = systole_cuda_devices(devices, &why);
  if (count == 0) return systole_fail(SYSTOLE_ERR_NOT_FOUND, "%s", why);
  for (int i = 0; i < count; i++) {
    const int fits = what == NULL     ? 1
                     : is_index(what) ? devices[i].index == atoi(what)
                                      : contains(devices[i].name, what);
    if (!fits) continue;
    *out = devices[i];
    return SYSTOLE_OK;
  }
  char here[512] = "";
  for (int i = 0; i < count; i++) {
    const size_t used = strlen(here);
    (void)snprintf(here + used, sizeof here - used, "%s%d (%s)", i > 0 ? ", " : "",
                   devices[i].index, devices[i].name);
  }
  return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                      "no NVIDIA GPU here has the number or name \"%s\"; there are %s",
                      what, here);
}

int systole_cuda_multiplies(const systole_cuda_device *device, systole_format format,
                            int *needed) {
  /* CUDA C++ Programming Guide, "Compute Capabilities": tensor cores for half precision
   * from 7.0, for int8 from 7.2, for bfloat16 and TF32 from 8.0. */
  *needed = format == SYSTOLE_FORMAT_S8    ? 72
            : format == SYSTOLE_FORMAT_F16 ? 70
            : format == SYSTOLE_FORMAT_F32 ? 50
                                           : 80;
  return device->capability >= *needed;
}
