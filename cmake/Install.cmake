# What `make install` puts where. The programs find each other by the folder they are in, so all of it can be moved with
# --prefix and DESTDIR.
include(GNUInstallDirs)
install(TARGETS cipherway RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS cipherway-keyholder RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cipherway)
foreach(section 1 5 8)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
set(completions ${PROJECT_SOURCE_DIR}/contrib/completions)
install(FILES ${completions}/cipherway.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME cipherway)
install(FILES ${completions}/_cipherway DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${completions}/cipherway.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/guide examples DESTINATION ${CMAKE_INSTALL_DOCDIR} USE_SOURCE_PERMISSIONS)

# The units name the program by its full path, which is known when it is installed: --prefix may say another.
set(units lib/systemd/system)
install(CODE "
  set(BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
  foreach(unit cipherway.service cipherway@.service)
    configure_file(\"${PROJECT_SOURCE_DIR}/packaging/systemd/\${unit}.in\" \"${CMAKE_BINARY_DIR}/packaging/\${unit}\" @ONLY)
  endforeach()")
install(FILES ${CMAKE_BINARY_DIR}/packaging/cipherway.service ${CMAKE_BINARY_DIR}/packaging/cipherway@.service
  ${PROJECT_SOURCE_DIR}/packaging/systemd/cipherway.socket DESTINATION ${units})
install(FILES packaging/systemd/cipherway.sysusers DESTINATION lib/sysusers.d RENAME cipherway.conf)
