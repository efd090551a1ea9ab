"""Start the build of a container image when its stack is deployed, and wait for a place in CodeBuild."""
