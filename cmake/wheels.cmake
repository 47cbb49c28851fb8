# Injected with -DCMAKE_PROJECT_INCLUDE where ROS 2 comes from PyPI wheels. Their exported targets still name the
# include directory of the image that built them (/opt/python/...), which CMake refuses as it does not exist here.
function(drop_include_directories_of_the_wheels_builder)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(directories)
      list(FILTER directories EXCLUDE REGEX "^/opt/python/")
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${directories}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL drop_include_directories_of_the_wheels_builder)
