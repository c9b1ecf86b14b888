#define _GNU_SOURCE
#include "nvml.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is used of NVML's interface, declared here after its documentation (NVML API
 * reference, version 12): names end in _v2 where the library has two generations. */
typedef struct nvml_device *nvml_device;
typedef int nvml_return; /* 0: success */
enum {
  NvmlNoPermission = 4,
  NvmlDriverNotLoaded = 9,
  NameBytes = 96 /* NVML_DEVICE_NAME_V2_BUFFER_SIZE */
};

typedef struct functions {
  nvml_return (*init)(void);
  nvml_return (*shutdown)(void);
  const char *(*error_string)(nvml_return);
  nvml_return (*count)(unsigned *);
  nvml_return (*by_index)(unsigned, nvml_device *);
  nvml_return (*by_address)(const char *, nvml_device *);
  nvml_return (*by_uuid)(const char *, nvml_device *);
  nvml_return (*name)(nvml_device, char *, unsigned);
  nvml_return (*energy_mj)(nvml_device, unsigned long long *); /* NULL: too old */
  nvml_return (*power_mw)(nvml_device, unsigned *);
  nvml_return (*limit_mw)(nvml_device, unsigned *); /* NULL: too old */
} functions;

struct systole_nvml {
  void *library;
  functions call;
  int begun; /* init was called with success */
  nvml_device device;
  char name[NameBytes];
};

/* Beyond this a board does not draw: a reading is none. The largest published limits are
 * below 1.5 kW. */
static const double most_watts = 3000;

static int bind(systole_nvml *nvml, systole_sampler_reason *reason) {
  const struct {
    void *place;
    const char *name;
    int optional;
  } symbols[] = {
      {&nvml->call.init, "nvmlInit_v2", 0},
      {&nvml->call.shutdown, "nvmlShutdown", 0},
      {&nvml->call.error_string, "nvmlErrorString", 0},
      {&nvml->call.count, "nvmlDeviceGetCount_v2", 0},
      {&nvml->call.by_index, "nvmlDeviceGetHandleByIndex_v2", 0},
      {&nvml->call.by_address, "nvmlDeviceGetHandleByPciBusId_v2", 0},
      {&nvml->call.by_uuid, "nvmlDeviceGetHandleByUUID", 0},
      {&nvml->call.name, "nvmlDeviceGetName", 0},
      {&nvml->call.power_mw, "nvmlDeviceGetPowerUsage", 0},
      {&nvml->call.energy_mj, "nvmlDeviceGetTotalEnergyConsumption", 1},
      {&nvml->call.limit_mw, "nvmlDeviceGetEnforcedPowerLimit", 1},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
    void *address = dlsym(nvml->library, symbols[i].name);
    if (address == NULL && !symbols[i].optional) {
      systole_sampler_say(reason, 1, "install NVIDIA's driver anew",
                          "nvml: the library has no function %s", symbols[i].name);
      return 0;
    }
    memcpy(symbols[i].place, &address, sizeof address); /* POSIX: they fit each other */
  }
  return 1;
}

static int load(systole_nvml *nvml, const char *root, systole_sampler_reason *reason) {
  /* The second: containers that get the driver from their host. The third: WSL. */
  static const char *const places[] = {"libnvidia-ml.so.1",
                                       "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
                                       "/usr/lib/wsl/lib/libnvidia-ml.so.1"};
  const char *chosen = getenv("SYSTOLE_NVML");
  if (chosen != NULL && chosen[0] != '\0') {
    nvml->library = dlopen(chosen, RTLD_NOW | RTLD_LOCAL);
    if (nvml->library == NULL) {
      systole_sampler_say(reason, 1, "unset SYSTOLE_NVML",
                          "nvml: SYSTOLE_NVML names %.200s, which cannot be loaded",
                          chosen);
    }
  } else if (root[0] != '\0') {
    systole_sampler_say(reason, 0, "", "nvml: not asked, because SYSTOLE_ROOT is set");
  } else {
    for (size_t i = 0; i < sizeof places / sizeof places[0] && nvml->library == NULL; i++)
      nvml->library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    if (nvml->library == NULL) {
      systole_sampler_say(reason, 0, "with an NVIDIA GPU: apt-get install nvidia-driver",
                          "nvml: no NVIDIA GPU: libnvidia-ml.so.1 is not here");
    }
  }
  return nvml->library != NULL;
}

static int failed(const systole_nvml *nvml, nvml_return code, const char *what,
                  systole_sampler_reason *reason) {
  const char *words = nvml->call.error_string(code);
  systole_sampler_say(reason, 1,
                      code == NvmlDriverNotLoaded ? "sudo modprobe nvidia"
                      : code == NvmlNoPermission
                          ? "sudo chmod a+rw /dev/nvidia0 /dev/nvidiactl"
                          : "",
                      "nvml: %s (%s)", what, words != NULL ? words : "no reason is told");
  return 0;
}

static int is_index(const char *text) {
  size_t digits = 0;
  while (isdigit((unsigned char)text[digits])) digits++;
  return digits > 0 && digits <= 4 && text[digits] == '\0';
}

static int find(systole_nvml *nvml, const char *address, systole_sampler_reason *reason) {
  char what[160];
  unsigned count = 0;
  nvml_return code = nvml->call.count(&count);
  if (code != 0) return failed(nvml, code, "the GPUs cannot be counted", reason);
  if (address == NULL || address[0] == '\0') {
    if (count != 1) {
      systole_sampler_say(reason, count > 0,
                          count > 0 ? "name one: its index or PCIe address" : "",
                          "nvml: there are %u NVIDIA GPUs", count);
      return 0;
    }
    address = "0";
  }
  if (is_index(address)) {
    code = nvml->call.by_index((unsigned)strtoul(address, NULL, 10), &nvml->device);
  } else if (strchr(address, ':') != NULL) {
    code = nvml->call.by_address(address, &nvml->device);
  } else {
    code = nvml->call.by_uuid(address, &nvml->device);
  }
  if (code != 0) {
    (void)snprintf(what, sizeof what, "of %u GPUs none is '%.64s'", count, address);
    return failed(nvml, code, what, reason);
  }
  if (nvml->call.name(nvml->device, nvml->name, NameBytes) != 0) {
    (void)snprintf(nvml->name, sizeof nvml->name, "NVIDIA GPU");
  }
  nvml->name[NameBytes - 1] = '\0';
  return 1;
}

void systole_nvml_open(systole_nvml **out, const char *root, const char *address,
                       systole_sampler_reason *reason) {
  *out = NULL;
  systole_nvml *nvml = calloc(1, sizeof *nvml);
  if (nvml == NULL) {
    systole_sampler_say(reason, 0, "", "nvml: no memory is left");
    return;
  }
  if (!load(nvml, root, reason) || !bind(nvml, reason)) goto done;
  const nvml_return code = nvml->call.init();
  if (code != 0) {
    (void)failed(nvml, code, "the library does not start", reason);
    goto done;
  }
  nvml->begun = 1;
  if (!find(nvml, address, reason)) goto done;
  *out = nvml;
  nvml = NULL;
done:
  systole_nvml_close(nvml);
}

void systole_nvml_close(systole_nvml *nvml) {
  if (nvml == NULL) return;
  if (nvml->begun) (void)nvml->call.shutdown();
  if (nvml->library != NULL) dlclose(nvml->library);
  free(nvml);
}

int systole_nvml_energy_j(const systole_nvml *nvml, double *joules) {
  unsigned long long mj = 0;
  *joules = 0;
  if (nvml->call.energy_mj == NULL || nvml->call.energy_mj(nvml->device, &mj) != 0)
    return 0;
  *joules = 1e-3 * (double)mj;
  return 1;
}

static int milliwatts(const systole_nvml *nvml,
                      nvml_return (*function)(nvml_device, unsigned *), double *watts) {
  unsigned mw = 0;
  *watts = 0;
  if (function == NULL || function(nvml->device, &mw) != 0) return 0;
  *watts = 1e-3 * (double)mw;
  return *watts > 0 && *watts < most_watts;
}

int systole_nvml_power_w(const systole_nvml *nvml, double *watts) {
  return milliwatts(nvml, nvml->call.power_mw, watts);
}

int systole_nvml_limit_w(const systole_nvml *nvml, double *watts) {
  return milliwatts(nvml, nvml->call.limit_mw, watts);
}

const char *systole_nvml_name(const systole_nvml *nvml) { return nvml->name; }
