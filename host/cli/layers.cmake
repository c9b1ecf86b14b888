# Turns the tables in layers/ into string constants, one {name, text} each, so that an installed
# program carries them.
set(systole_layers_rows "")
file(GLOB systole_layers_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/layers/*.csv)
foreach(file IN LISTS systole_layers_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  get_filename_component(name ${file} NAME_WE)
  file(STRINGS ${file} lines)
  set(text "")
  foreach(line IN LISTS lines)
    string(REPLACE "\\" "\\\\" line "${line}")
    string(REPLACE "\"" "\\\"" line "${line}")
    string(APPEND text "    \"${line}\\n\" \\\n")
  endforeach()
  string(APPEND systole_layers_rows "  {\"${name}\", \\\n${text}  }, \\\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/generated/systole_layers_tables.h.new
  "/* Made from the tables in host/cli/layers by host/cli/layers.cmake; do not edit. */\n"
  "#define SYSTOLE_LAYERS_TABLES \\\n${systole_layers_rows}\n")
configure_file(${CMAKE_BINARY_DIR}/generated/systole_layers_tables.h.new
               ${CMAKE_BINARY_DIR}/generated/systole_layers_tables.h COPYONLY)
