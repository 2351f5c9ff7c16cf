"""The lifecycle rules that a bucket needs, their check, and the plan that corrects them."""
