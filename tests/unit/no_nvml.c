/* A library that has nothing of NVML. */
int systole_no_nvml(void);
int systole_no_nvml(void) { return 0; }
