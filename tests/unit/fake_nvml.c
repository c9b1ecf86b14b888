/* A stand-in for NVIDIA's management library: what it answers stands in the file that the
 * environment variable FAKE_NVML names, one "key value" a line, read at every call. What
 * has no line is not supported. Keys: init (its return code), gpus, energy_mj, power_mw,
 * limit_mw; a second GPU's keys begin with "b_". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { Good = 0, Invalid = 2, NotSupported = 3, NotFound = 6 };

typedef struct device {
  const char *prefix, *address, *uuid, *name;
} device;
static device devices[2] = {{"", "0000:3b:00.0", "GPU-aaaa", "Fake GPU A"},
                            {"b_", "0000:af:00.0", "GPU-bbbb", "Fake GPU B"}};

static int value_of(const char *prefix, const char *key, unsigned long long *out) {
  char line[128], name[64], wanted[64];
  const char *path = getenv("FAKE_NVML");
  FILE *file = path != NULL ? fopen(path, "r") : NULL;
  int found = 0;
  if (file == NULL) return 0;
  snprintf(wanted, sizeof wanted, "%s%s", prefix, key);
  while (fgets(line, sizeof line, file) != NULL) {
    unsigned long long value = 0;
    if (sscanf(line, "%63s %llu", name, &value) == 2 && strcmp(name, wanted) == 0) {
      *out = value;
      found = 1;
    }
  }
  fclose(file);
  return found;
}

static unsigned gpus(void) {
  unsigned long long count = 1;
  (void)value_of("", "gpus", &count);
  return (unsigned)count;
}

int nvmlInit_v2(void);
int nvmlInit_v2(void) {
  unsigned long long code = Good;
  (void)value_of("", "init", &code);
  return (int)code;
}

int nvmlShutdown(void);
int nvmlShutdown(void) { return Good; }

const char *nvmlErrorString(int code);
const char *nvmlErrorString(int code) {
  return code == 9 ? "Driver Not Loaded" : code == NotFound ? "Not Found" : "Fake Error";
}

int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetCount_v2(unsigned *count) {
  *count = gpus();
  return Good;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **out);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **out) {
  if (index >= gpus()) return Invalid;
  *out = &devices[index];
  return Good;
}

static int find(const char *text, int uuid, device **out) {
  for (unsigned i = 0; i < gpus(); i++) {
    if (strcmp(text, uuid ? devices[i].uuid : devices[i].address) == 0) {
      *out = &devices[i];
      return Good;
    }
  }
  return NotFound;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *text, device **out);
int nvmlDeviceGetHandleByPciBusId_v2(const char *text, device **out) {
  return find(text, 0, out);
}

int nvmlDeviceGetHandleByUUID(const char *text, device **out);
int nvmlDeviceGetHandleByUUID(const char *text, device **out) {
  return find(text, 1, out);
}

int nvmlDeviceGetName(device *self, char *name, unsigned bytes);
int nvmlDeviceGetName(device *self, char *name, unsigned bytes) {
  snprintf(name, bytes, "%s", self->name);
  return Good;
}

int nvmlDeviceGetTotalEnergyConsumption(device *self, unsigned long long *mj);
int nvmlDeviceGetTotalEnergyConsumption(device *self, unsigned long long *mj) {
  return value_of(self->prefix, "energy_mj", mj) ? Good : NotSupported;
}

static int milliwatts(const device *self, const char *key, unsigned *mw) {
  unsigned long long value = 0;
  if (!value_of(self->prefix, key, &value)) return NotSupported;
  *mw = (unsigned)value;
  return Good;
}

int nvmlDeviceGetPowerUsage(device *self, unsigned *mw);
int nvmlDeviceGetPowerUsage(device *self, unsigned *mw) {
  return milliwatts(self, "power_mw", mw);
}

int nvmlDeviceGetEnforcedPowerLimit(device *self, unsigned *mw);
int nvmlDeviceGetEnforcedPowerLimit(device *self, unsigned *mw) {
  return milliwatts(self, "limit_mw", mw);
}
