# Turns the files in presets/ into string constants, one {name, text} each, so that an installed
# library carries them.
set(systole_presets_rows "")
file(GLOB systole_presets_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/presets/*.json)
foreach(file IN LISTS systole_presets_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  get_filename_component(name ${file} NAME_WE)
  # No line of these files has a square bracket and a semicolon that CMake could take for a list.
  file(READ ${file} text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\" \\\n    \"" text "${text}")
  string(APPEND systole_presets_rows "  {\"${name}\", \\\n    \"${text}\"}, \\\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/generated/systole_model_presets.h.new
  "/* Made from host/card/model/presets by host/card/model/presets.cmake; do not edit. */\n"
  "#define SYSTOLE_MODEL_PRESETS \\\n${systole_presets_rows}\n")
configure_file(${CMAKE_BINARY_DIR}/generated/systole_model_presets.h.new
               ${CMAKE_BINARY_DIR}/generated/systole_model_presets.h COPYONLY)
