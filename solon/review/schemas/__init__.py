"""What goes over the wire of the review API: requests, answers and their examples, one module a subject. Imports
nothing of Solon but `law`."""
